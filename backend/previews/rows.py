"""Rows of a file one page at a time, in the child process: whoever turns the page goes on where the last page ended.

A far row of a large file is cut out where the format allows; else the way to it leads over all rows before it. There a
row that only repeats an earlier one is not recognised as a duplicate. To write an index at registration was rejected:
row numbers would have to be kept true for five formats.
"""

from __future__ import annotations

import tempfile
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

from backend.previews.slices import cut_out
from tunedeck.conversations import Conversation, Reading
from tunedeck.conversations.report import Compression, Format
from tunedeck.conversations.scan import read_conversations
from tunedeck.errors import NotFound

_NUM_OPEN: Final = 4
_NEAR: Final = 2_000
_MAX_CHARS: Final = 8_000

Numbered = tuple[int, Conversation | None]


@dataclass(frozen=True)
class File:
    """A file as its check found it; `num_rows` 0 where it was never checked row by row."""

    path: Path
    reading: Reading
    form: Format
    compression: Compression
    num_rows: int


class RowReader:
    def __init__(self) -> None:
        self._open: OrderedDict[tuple[str, int, str], tuple[int, Iterator[Numbered]]] = OrderedDict()

    def rows(self, file: File, first: int, limit: int) -> list[Numbered]:
        """At most `limit` rows from number `first` on; none behind the end."""
        key = (str(file.path), file.path.stat().st_mtime_ns, file.reading.model_dump_json())
        at, reader = self._open.get(key, (1, None))
        if first > _NEAR and not at <= first <= at + _NEAR and (found := _cut_out(file, first, limit)) is not None:
            return found
        if reader is None or at > first:
            at, reader = 1, iter(read_conversations(file.path, file.reading))
        self._open.pop(key, None)
        found = list(islice(reader, first - at, first - at + limit))
        self._open[key] = (first + len(found), reader)
        if len(self._open) > _NUM_OPEN:
            self._open.popitem(last=False)
        return found

    def row(self, file: File, number: int) -> Conversation:
        """One row as it is trained. Raises NotFound where there is none, or the policy leaves it out."""
        found = self.rows(file, number, 1)
        if not found:
            raise NotFound(f"there is no row {number:,}", "choose a smaller number")
        conversation = found[0][1]
        if conversation is None:
            message = f"row {number:,} is left out of training: it has a fault, or nothing to learn"
            raise NotFound(message, "choose another row; the report says which rows have faults")
        return conversation


def _cut_out(file: File, first: int, limit: int) -> list[Numbered] | None:
    with tempfile.TemporaryDirectory() as folder:
        small = Path(folder) / f"rows.{file.form}"
        if not cut_out(file.path, file.form, file.compression, file.num_rows, first, limit, small):
            return None
        return [(first - 1 + number, row) for number, row in read_conversations(small, file.reading)]


def shown(numbered: Numbered) -> dict[str, Any]:
    """A row as the page shows it; very long turns are cut."""
    number, conversation = numbered
    if conversation is None:
        return {"row": number, "is_trained": False, "messages": [], "tools": []}
    messages = [{**message.as_shown(), "content": _cut(message.content)} for message in conversation.messages]
    return {"row": number, "is_trained": True, "messages": messages, "tools": list(conversation.tools)}


def _cut(text: str) -> str:
    return text if len(text) <= _MAX_CHARS else f"{text[:_MAX_CHARS]}… ({len(text):,} characters)"
