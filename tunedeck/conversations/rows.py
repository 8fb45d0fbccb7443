"""The rows of a JSON or JSONL file, one after the other, in memory that does not grow with the file.

The first visible character decides: `[` opens a JSON array of objects, anything else is read as one object a line.
`json.load` was rejected (8 GiB of conversations need five times as much memory), and so was a streaming parser from
outside: the standard library's `raw_decode` on a sliding buffer does it in a page. Parquet is refused.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from tunedeck.errors import DatasetInvalid

Row = dict[str, Any]

_CHUNK_BYTES = 1 << 20
_MAX_ROW_CHARS = 1 << 26
_MEND_JSON = "write a JSON array of objects, or one JSON object a line (JSONL), in UTF-8"


def fault(path: Path, where: str, what: str, mend: str) -> DatasetInvalid:
    """The error for one place of a file: `where` is "row 3" or "" for the whole file."""
    place = f"{path.name}, {where}" if where else path.name
    return DatasetInvalid.at("path", str(path), f"{place}: {what}", mend)


def excerpt(value: Any, limit: int = 80) -> str:
    """A value as it may appear in a sentence: on one line, short, and always encodable."""
    text = json.dumps(value, ensure_ascii=False, default=str).encode(errors="backslashreplace").decode()
    return text if len(text) <= limit else text[: limit - 1] + "…"


def read_rows(path: Path) -> Iterator[tuple[int, Row]]:
    """Yield (row number counted from 1, object) for every row of `path`.

    Raises DatasetInvalid where the file cannot be read, is empty, is not UTF-8, is not JSON, or holds a row that is not
    an object. Blank lines of a JSONL file are no rows.
    """
    if not path.is_file():
        raise fault(path, "", "there is no such file", "give the path of a .json or .jsonl file")
    try:
        with path.open("rb") as file:
            yield from _rows_of(path, file)
    except OSError as error:
        raise fault(path, "", f"cannot be read: {error.strerror}", "make the file readable for this user") from error


def _rows_of(path: Path, file: BinaryIO) -> Iterator[tuple[int, Row]]:
    text = _Text(path, file)
    first = text.peek()
    if first == "":
        raise fault(path, "", "the file is empty", _MEND_JSON)
    rows = _array_rows(path, text) if first == "[" else _line_rows(path, text)
    for number, value in rows:
        if not isinstance(value, dict):
            raise fault(path, f"row {number}", f"{excerpt(value)} is not a JSON object", _MEND_JSON)
        yield number, value


class _Text:
    """Decoded text with a window that slides over the file: `buffer[position:]` is what has not been used yet."""

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self._path = path
        self._file = file
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")()
        self._num_bytes = 0
        self.ended = False
        self.buffer = ""
        self.position = 0

    def more(self, num_bytes: int = _CHUNK_BYTES) -> None:
        """Drop what has been used and read on."""
        raw = self._file.read(num_bytes)
        self.ended = not raw
        try:
            text = self._decoder.decode(raw, final=self.ended)
        except UnicodeDecodeError as error:
            where = f"near byte {self._num_bytes + error.start}"
            raise fault(self._path, where, "not UTF-8 text", "save the file as UTF-8 JSON or JSONL") from error
        self._num_bytes += len(raw)
        self.buffer = self.buffer[self.position :] + text
        self.position = 0

    def peek(self) -> str:
        """The next visible character without using it, "" at the end of the file."""
        while True:
            while self.position < len(self.buffer):
                if not self.buffer[self.position].isspace():
                    return self.buffer[self.position]
                self.position += 1
            if self.ended:
                return ""
            self.more()


def _line_rows(path: Path, text: _Text) -> Iterator[tuple[int, Any]]:
    number = 0
    while text.peek():
        number += 1
        yield number, _parsed(path, number, _next_line(path, number, text))


def _next_line(path: Path, number: int, text: _Text) -> str:
    while (end := text.buffer.find("\n", text.position)) < 0 and not text.ended:
        _refuse_giant(path, number, text)
        text.more(_growth(text))
    end = len(text.buffer) if end < 0 else end
    line = text.buffer[text.position : end]
    text.position = end
    return line


def _parsed(path: Path, number: int, line: str) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        raise _not_json(path, number, line, error) from error


def _array_rows(path: Path, text: _Text) -> Iterator[tuple[int, Any]]:
    text.position += 1
    number = 0
    if text.peek() == "]":
        text.position += 1
    else:
        separator = ","
        while separator == ",":
            number += 1
            yield number, _next_element(path, number, text)
            separator = text.peek()
            text.position += 1
        if separator != "]":
            what = (
                f"expected ',' or ']' after it, found {separator!r}" if separator else "the file ends inside the array"
            )
            raise fault(path, f"row {number}", what, _MEND_JSON)
    if rest := text.peek():
        raise fault(path, f"row {number}", f"found {rest!r} after the end of the array", _MEND_JSON)


def _next_element(path: Path, number: int, text: _Text) -> Any:
    if text.peek() != "{":
        found = excerpt(text.buffer[text.position : text.position + 40])
        raise fault(path, f"row {number}", f"expected an object, found {found}", _MEND_JSON)
    while True:
        try:
            value, text.position = _DECODER.raw_decode(text.buffer, text.position)
            return value
        except (ValueError, RecursionError) as error:
            if text.ended or isinstance(error, RecursionError):
                raise _not_json(path, number, text.buffer[text.position :], error) from error
            # The object may merely go on behind the end of the window.
            _refuse_giant(path, number, text)
            text.more(_growth(text))


_DECODER = json.JSONDecoder()


def _growth(text: _Text) -> int:
    """Double the window, so that a long row is parsed again only a few times."""
    return max(_CHUNK_BYTES, len(text.buffer) - text.position)


def _refuse_giant(path: Path, number: int, text: _Text) -> None:
    if len(text.buffer) - text.position > _MAX_ROW_CHARS:
        what = f"not valid JSON, or longer than {_MAX_ROW_CHARS:,} characters"
        raise fault(path, f"row {number}", what, "close the row's quotes and braces, or split the conversation")


def _not_json(path: Path, number: int, text: str, error: Exception) -> DatasetInvalid:
    reason = f"{error.msg} at character {error.pos + 1}" if isinstance(error, json.JSONDecodeError) else str(error)
    return fault(path, f"row {number}", f"not valid JSON ({reason}): {excerpt(text[:60])}", _MEND_JSON)
