"""From a row of any shape that people have to a conversation.

The first row decides the shape where the reading does not, and every row must have it: a file that changes its shape is
more likely broken than meant. Columns that only describe a row (id, source, category) are left out.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tunedeck.conversations.conversation import Conversation, Message
from tunedeck.conversations.faults import Fault, Faulty, excerpt, file_fault
from tunedeck.conversations.reading import ColumnMapping, Reading, Shape
from tunedeck.conversations.turns import Dialect, Row, refuse_media, text_of, tools_of

MEND_SHAPE: Final = (
    'give each row "messages", "conversations" (from/value), "instruction" and "output", or "prompt" and "completion", '
    "or say which columns hold them"
)
_KEYS: Final[dict[Shape, tuple[str, str]]] = {
    "messages": ("role", "content"),
    "sharegpt": ("from", "value"),
    "alpaca": ("role", "content"),
    "prompt_completion": ("role", "content"),
}


@dataclass(frozen=True, slots=True)
class Converted:
    """The turns before the first faulty one, and the faults of all turns."""

    conversation: Conversation
    faults: tuple[Fault, ...]


def shape_of(row: Row, columns: ColumnMapping) -> Shape | None:
    """The shape that the keys of a row tell, None if they tell none."""
    if columns.messages in row:
        return "messages"
    if columns.conversations in row:
        return "sharegpt"
    if columns.instruction in row and columns.output in row:
        return "alpaca"
    if columns.prompt in row and columns.completion in row:
        return "prompt_completion"
    return None


def recognised(path: Path, number: int, row: Row, columns: ColumnMapping) -> Shape:
    """The shape of the first row that can be read. Raises DatasetInvalid where it has none that we know."""
    shape = shape_of(row, columns)
    if shape is None:
        what = f"no known shape of conversation in the keys {excerpt(sorted(row))}"
        raise file_fault(path, f"row {number}", what, MEND_SHAPE)
    return shape


def columns_read(columns: ColumnMapping) -> frozenset[str]:
    """The names of all columns that can matter: a file of columns need not read the others."""
    named = {getattr(columns, name) for name in ColumnMapping.model_fields if not name.endswith("_key")}
    return frozenset(named | {"functions", "images", "videos", "audios"})


def keys_of(shape: Shape, columns: ColumnMapping) -> tuple[str, str]:
    """Under which keys a turn holds its role and its text."""
    role_key, content_key = _KEYS[shape]
    return columns.role_key or role_key, columns.content_key or content_key


class Converter:
    """Turns rows of one shape into conversations."""

    def __init__(self, shape: Shape, reading: Reading) -> None:
        self.shape = shape
        self._columns = reading.columns
        self.columns_read = columns_read(reading.columns)
        self._dialect = Dialect(*keys_of(shape, reading.columns), reading.roles)
        turns: Mapping[Shape, Callable[[Row], _Turns]] = {
            "messages": self._from_messages,
            "sharegpt": self._from_sharegpt,
            "alpaca": self._from_alpaca,
            "prompt_completion": self._from_prompt_completion,
        }
        self._turns = turns[shape]

    def convert(self, row: Row) -> Converted:
        turns = _Turns()
        tools: tuple[dict[str, Any], ...] = ()
        try:
            turns = self._turns(row)
            refuse_media(row)
            tools = self._tools(row)
        except Faulty as fault:
            turns.faults.append(fault.at(0))
        return Converted(Conversation(tuple(turns.messages), tools), tuple(turns.faults))

    def _tools(self, row: Row) -> tuple[dict[str, Any], ...]:
        key = self._columns.tools if row.get(self._columns.tools) else "functions"
        return tools_of(row.get(key), key)

    def _from_messages(self, row: Row) -> _Turns:
        turns = _list(row, self._columns.messages)
        return self._system(row).extend(self._dialect, turns)

    def _from_sharegpt(self, row: Row) -> _Turns:
        turns = _list(row, self._columns.conversations)
        return self._system(row).extend(self._dialect, turns)

    def _from_alpaca(self, row: Row) -> _Turns:
        """The prompt is instruction, newline, input; earlier turns in `history` are pairs and are learned too."""
        columns = self._columns
        turns = self._system(row)
        for pair in _history(row.get(columns.history), columns.history):
            turns.exchange(*(text_of(text, columns.history) for text in pair))
        instruction = text_of(_value(row, columns.instruction), columns.instruction)
        extra = text_of(row.get(columns.input) or "", columns.input)
        prompt = f"{instruction}\n{extra}" if extra else instruction
        return turns.exchange(prompt, text_of(_value(row, columns.output), columns.output))

    def _from_prompt_completion(self, row: Row) -> _Turns:
        """Both fields are text, or both are lists of messages; only the completion is learned."""
        asked, answered = self._columns.prompt, self._columns.completion
        prompt, completion = _value(row, asked), _value(row, answered)
        turns = self._system(row)
        if isinstance(prompt, str) and isinstance(completion, str):
            return turns.exchange(text_of(prompt, asked), text_of(completion, answered))
        turns.extend(self._dialect, _list(row, asked))
        turns.messages = [_unlearned(message) for message in turns.messages]
        return turns.extend(self._dialect, _list(row, answered))

    def _system(self, row: Row) -> _Turns:
        turns = _Turns()
        if row.get(self._columns.system):
            turns.messages.append(Message("system", text_of(row[self._columns.system], self._columns.system), 0.0))
        return turns


class _Turns:
    """Messages up to the first faulty turn; later turns are only looked at for their faults."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.faults: list[Fault] = []

    def extend(self, dialect: Dialect, items: list[Any]) -> _Turns:
        for item in items:
            try:
                message = dialect.message(item)
            except Faulty as fault:
                self.faults.append(fault.at(len(self.messages)))
                continue
            if not self.faults:
                self.messages.append(message)
        return self

    def exchange(self, question: str, answer: str) -> _Turns:
        self.messages += (Message("user", question, 0.0), Message("assistant", answer, 1.0))
        return self


def _unlearned(message: Message) -> Message:
    return Message(
        message.role,
        message.content,
        False,
        message.reasoning_content,
        message.tool_calls,
        message.name,
        message.tool_call_id,
    )


def _value(row: Row, key: str) -> Any:
    if key not in row:
        raise Faulty("malformed", f"there is no {excerpt(key)} in it", f'give each row "{key}"')
    return row[key]


def _list(row: Row, key: str) -> list[Any]:
    """A list of turns; as JSON text too, which is how a table without nested columns holds it."""
    items = _value(row, key)
    if isinstance(items, str) and items.lstrip()[:1] == "[":
        try:
            items = json.loads(items)
        except (ValueError, RecursionError):
            raise Faulty("malformed", f"{key} is not valid JSON: {excerpt(items)}", f"give {key} as a list") from None
    if not isinstance(items, list):
        raise Faulty("malformed", f"{key} is {excerpt(items)}, not a list", f"give {key} as a list of messages")
    return items


def _history(value: Any, key: str) -> list[list[Any]]:
    pairs = _list({key: value}, key) if value else []
    for pair in pairs:
        if not (isinstance(pair, list) and len(pair) == 2):
            what = f"{key} holds {excerpt(pair)}"
            raise Faulty("malformed", what, f"give {key} as pairs of [question, answer]")
    return pairs
