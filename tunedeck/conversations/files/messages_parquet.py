"""Writes conversations as Parquet with a `messages` column, which is what the recipe and most trainers read.

Narrow is the recipe's own form: role and content. Wide adds what narrow would lose: weight, reasoning, calls and names
in each message, and a column `tools`. Calls keep their arguments, and tools their schemas, as JSON text: as nested
columns every call would get the keys of all others, filled with nulls.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from tunedeck.conversations.conversation import Conversation, Message
from tunedeck.conversations.files.plain_turns import TURN

_CALL: Final = pa.struct(
    [
        ("id", pa.string()),
        ("type", pa.string()),
        ("function", pa.struct([("name", pa.string()), ("arguments", pa.string())])),
    ]
)
_WIDE_TURN: Final = pa.struct(
    [
        *TURN,
        ("weight", pa.float64()),
        ("reasoning_content", pa.string()),
        ("tool_calls", pa.list_(_CALL)),
        ("name", pa.string()),
        ("tool_call_id", pa.string()),
    ]
)
_GROUP_CHARS: Final = 8 << 20
_NARROW: Final = pa.schema([("messages", pa.list_(TURN))])
_WIDE: Final = pa.schema([("messages", pa.list_(_WIDE_TURN)), ("tools", pa.string())])


class MessagesParquet:
    """A context: the file is whole when it is left. A row group has some megabytes of text."""

    def __init__(self, path: Path, *, wide: bool) -> None:
        self._wide = wide
        self._waiting: list[Conversation] = []
        self._num_chars = 0
        # Texts differ from row to row: a dictionary of them would be built and thrown away.
        repeated = ["messages.list.element.role", "messages.list.element.name"]
        self._writer = pq.ParquetWriter(
            path, _WIDE if wide else _NARROW, compression="snappy", use_dictionary=repeated, write_statistics=False
        )

    def __enter__(self) -> MessagesParquet:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._flush()
        self._writer.close()

    def write_turns(self, turns: pa.ListArray) -> None:
        """Narrow only."""
        self._flush()
        self._writer.write_batch(pa.record_batch([turns], schema=_NARROW))

    def write(self, conversations: Sequence[Conversation]) -> None:
        self._waiting += conversations
        self._num_chars += sum(len(message.content) for each in conversations for message in each.messages)
        if self._num_chars > _GROUP_CHARS:
            self._flush()

    def _flush(self) -> None:
        waiting, self._waiting, self._num_chars = self._waiting, [], 0
        if waiting:
            self._writer.write_batch(_wide_batch(waiting) if self._wide else _narrow_batch(waiting))


def is_narrow(conversation: Conversation) -> bool:
    """Whether role and content say all that is in it."""
    return not conversation.tools and all(map(_is_narrow_message, conversation.messages))


def _narrow_batch(conversations: Sequence[Conversation]) -> pa.RecordBatch:
    offsets, roles, contents = [0], [], []
    for conversation in conversations:
        for message in conversation.messages:
            roles.append(message.role)
            contents.append(message.content)
        offsets.append(len(roles))
    structs = pa.StructArray.from_arrays(
        [pa.array(roles, pa.string()), pa.array(contents, pa.string())], fields=list(TURN)
    )
    turns = pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), structs)
    return pa.record_batch([turns], schema=_NARROW)


def _is_narrow_message(message: Message) -> bool:
    more = message.reasoning_content or message.tool_calls or message.name or message.tool_call_id
    return not more and message.weight == (message.role == "assistant")


def _wide_batch(conversations: Sequence[Conversation]) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist([_wide_row(conversation) for conversation in conversations], schema=_WIDE)


def _wide_row(conversation: Conversation) -> dict[str, Any]:
    tools = json.dumps(conversation.tools, ensure_ascii=False) if conversation.tools else None
    return {"messages": [_wide_message(message) for message in conversation.messages], "tools": tools}


def _wide_message(message: Message) -> dict[str, Any]:
    written = message.as_dict()
    if message.role == "assistant":
        written["weight"] = message.weight
    for call in written.get("tool_calls", ()):
        if not isinstance(call["function"]["arguments"], str):
            arguments = json.dumps(call["function"]["arguments"], ensure_ascii=False)
            call["function"] = {**call["function"], "arguments": arguments}
    return written
