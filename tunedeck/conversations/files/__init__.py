"""The rows of a file, in whatever format, one after the other and in memory that does not grow with the file.

The first bytes decide the format, the name only between CSV and JSON: names lie more often than bytes do. Here is the
only place of `tunedeck` that may import pyarrow and orjson (extra `data`), and it is imported only by those who read.
"""

from tunedeck.conversations.files.open import FileRows, open_rows

__all__ = ["FileRows", "open_rows"]
