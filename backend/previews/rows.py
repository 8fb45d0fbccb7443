"""Rows of a file one page at a time, in the child process: whoever turns the page goes on where the last page ended.

A file has no index of its rows, so the way to a row leads over all rows before it. Readers are kept open for the next
page; to write an index at registration was rejected, because row numbers would have to be kept true for five formats.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Final

from tunedeck.conversations import Conversation, Reading
from tunedeck.conversations.scan import read_conversations
from tunedeck.errors import NotFound

_NUM_OPEN: Final = 4
_MAX_CHARS: Final = 8_000

Numbered = tuple[int, Conversation | None]


class RowReader:
    def __init__(self) -> None:
        self._open: OrderedDict[tuple[str, int, str], tuple[int, Iterator[Numbered]]] = OrderedDict()

    def rows(self, path: Path, reading: Reading, first: int, limit: int) -> list[Numbered]:
        """At most `limit` rows from number `first` on; none behind the end."""
        key = (str(path), path.stat().st_mtime_ns, reading.model_dump_json())
        at, reader = self._open.pop(key, (1, None))
        if reader is None or at > first:
            at, reader = 1, iter(read_conversations(path, reading))
        found = list(islice(reader, first - at, first - at + limit))
        self._open[key] = (first + len(found), reader)
        if len(self._open) > _NUM_OPEN:
            self._open.popitem(last=False)
        return found

    def row(self, path: Path, reading: Reading, number: int) -> Conversation:
        """One row as it is trained. Raises NotFound where there is none, or the policy leaves it out."""
        found = self.rows(path, reading, number, 1)
        if not found:
            raise NotFound(f"there is no row {number:,}", "choose a smaller number")
        conversation = found[0][1]
        if conversation is None:
            message = f"row {number:,} is left out of training: it has a fault, or nothing to learn"
            raise NotFound(message, "choose another row; the report says which rows have faults")
        return conversation


def shown(numbered: Numbered) -> dict[str, Any]:
    """A row as the page shows it; very long turns are cut."""
    number, conversation = numbered
    if conversation is None:
        return {"row": number, "is_trained": False, "messages": [], "tools": []}
    messages = [
        {**message.as_dict(), "content": _cut(message.content), "trained": message.trained}
        for message in conversation.messages
    ]
    return {"row": number, "is_trained": True, "messages": messages, "tools": list(conversation.tools)}


def _cut(text: str) -> str:
    return text if len(text) <= _MAX_CHARS else f"{text[:_MAX_CHARS]}… ({len(text):,} characters)"
