"""The objects of one JSON array, read through a window that slides over the text.

`json.load` was rejected (8 GiB of conversations need five times as much memory), and so was a streaming parser from
outside: the standard library's `raw_decode` on a sliding window does it in a page, and faster. Where the text of an
array breaks, nobody knows where the next row begins: that is a fault of the file.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tunedeck.conversations.faults import Fault, excerpt, file_fault
from tunedeck.conversations.files.bytestream import CHUNK_BYTES, ByteStream
from tunedeck.conversations.files.json_lines import MEND_JSON, not_json

_MOST_ROW_CHARS = 1 << 26
_DECODER = json.JSONDecoder()


def array_rows(path: Path, stream: ByteStream) -> Iterator[tuple[int, dict[str, Any] | Fault]]:
    """Raises DatasetInvalid where the text is not UTF-8, not JSON, or a row has more than 64 Mi characters."""
    with stream:
        text = _Window(path, stream)
        text.peek()
        text.position += 1
        number = 0
        separator = "]" if text.peek() == "]" else ","
        text.position += separator == "]"
        while separator == ",":
            number += 1
            value = _element(path, number, text)
            yield number, value if isinstance(value, dict) else _no_object(value)
            separator = text.peek()
            text.position += 1
        _check_end(path, number, separator, text)


class _Window:
    """Decoded text: `buffer[position:]` is what has not been used yet."""

    def __init__(self, path: Path, stream: ByteStream) -> None:
        self._path = path
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")()
        self._num_bytes = 0
        self.ended = False
        self.buffer = ""
        self.position = 0

    def more(self) -> None:
        """Drop what has been used and read on; as much as is left over, so that a long row is parsed again only a few
        times."""
        raw = self._stream.read(max(CHUNK_BYTES, len(self.buffer) - self.position))
        self.ended = not raw
        try:
            text = self._decoder.decode(raw, final=self.ended)
        except UnicodeDecodeError as error:
            where = f"near byte {self._num_bytes + error.start:,}"
            raise file_fault(self._path, where, "not UTF-8 text", "save the file as UTF-8 JSON or JSONL") from error
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


def _element(path: Path, number: int, text: _Window) -> Any:
    text.peek()
    while True:
        try:
            value, end = _DECODER.raw_decode(text.buffer, text.position)
            if end < len(text.buffer) or text.ended or isinstance(value, dict):
                text.position = end
                return value
        except (ValueError, RecursionError) as error:
            if text.ended or isinstance(error, RecursionError):
                what = not_json(text.buffer[text.position : text.position + 60], error)
                raise file_fault(path, f"row {number}", what, MEND_JSON) from error
        # The row may merely go on behind the end of the window.
        if len(text.buffer) - text.position > _MOST_ROW_CHARS:
            what = f"not valid JSON, or longer than {_MOST_ROW_CHARS:,} characters"
            raise file_fault(
                path, f"row {number}", what, "close the row's quotes and braces, or split the conversation"
            )
        text.more()


def _no_object(value: Any) -> Fault:
    return Fault("malformed", f"{excerpt(value)} is not a JSON object", MEND_JSON)


def _check_end(path: Path, number: int, separator: str, text: _Window) -> None:
    if separator != "]":
        found = f"expected ',' or ']' after it, found {separator!r}"
        what = found if separator else "the file ends inside the array"
        raise file_fault(path, f"row {number}", what, MEND_JSON)
    if rest := text.peek():
        raise file_fault(path, f"row {number}", f"found {rest!r} after the end of the array", MEND_JSON)
