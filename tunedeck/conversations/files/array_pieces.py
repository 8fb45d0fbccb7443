"""Cuts a JSON array between its elements without parsing it.

What stands between the first two elements (`},\n  {\n    "conversations":`) stands between all that one program wrote,
and cannot stand inside a text, where quotes are escaped. It may stand between nested objects: whoever parses a piece
finds that it is no whole number of elements, and the array is read by `json_array`, which looks at each character.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from tunedeck.conversations.files.bytestream import ByteStream

_START: Final = re.compile(rb'(?:\xef\xbb\xbf)?\s*\[\s*(?=\{\s*("(?:[^"\\]|\\.){0,200}"\s*:))')
_MOST_PIECE_BYTES: Final = 1 << 26


class IrregularArray(Exception):
    """Cannot be cut: one element, or no two elements begin alike."""


class ArrayPieces:
    """Iterates over texts of whole elements, with what the file has between them and no brackets around them."""

    def __init__(self, stream: ByteStream, num_bytes: int) -> None:
        self._stream = stream
        self._num_bytes = num_bytes
        self._text = stream.read(num_bytes)
        self.separator = self._found_separator()

    def _found_separator(self) -> bytes:
        """Also drops the opening bracket."""
        start = _START.match(self._text)
        if start is None:
            raise IrregularArray
        between = re.compile(rb"\}\s*,\s*\{\s*" + re.escape(start.group(1)))
        found = between.search(self._text)
        if found is None:
            raise IrregularArray
        self._text = self._text[start.end() :]
        return found.group(0)

    def __iter__(self) -> Iterator[bytes]:
        comma = self.separator.index(b",")
        while chunk := self._stream.read(self._num_bytes):
            self._text += chunk
            end = self._text.rfind(self.separator)
            if end >= 0:
                yield self._text[: end + 1]
                self._text = self._text[end + comma + 1 :]
            elif len(self._text) > _MOST_PIECE_BYTES:
                raise IrregularArray
        last = self._text.rstrip()
        if not last.endswith(b"]"):
            raise IrregularArray
        yield last[:-1]

    def without_commas(self, piece: bytes) -> tuple[bytes, int]:
        """The elements with a space between them, which is what pyarrow reads, and how many there are."""
        text = piece.replace(self.separator, self.separator.replace(b",", b" ", 1))
        return text, piece.count(self.separator) + 1
