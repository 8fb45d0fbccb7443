"""From a row of any shape that people have to a conversation: a tuple of messages.

The first row decides the shape, and every row must have it: a file that changes its shape is more likely broken than
meant. Nothing that would change what is trained is dropped in silence: turns and columns that we cannot train yet
(tools, images, reasoning beside the content) are errors that name the row. Columns that only describe a row (id,
source, category) are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tunedeck.conversations.conversation import Conversation, Message, Role
from tunedeck.conversations.reading import Shape
from tunedeck.conversations.rows import Row, excerpt, fault, read_rows

_ROLES: dict[str, Role] = {
    "system": "system",
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "gpt": "assistant",
}
_TOOL_ROLES = frozenset({"tool", "function", "function_call", "observation", "tool_call", "tool_response"})
_TOOL_KEYS = ("tools", "functions", "tool_calls", "function_call", "tool_call_id")
_OTHER_KEYS = ("images", "videos", "audios", "reasoning_content", "thinking")
_WEIGHT_KEYS = ("step_loss_mask", "loss_weight", "weight")
_MEND_SHAPE = (
    'give each row "messages", "conversations" (from/value), "instruction" and "output", or "prompt" and "completion"'
)


class _Fault(Exception):
    """What is wrong with a row, before its number is known: (what, mend)."""


def shape_of(row: Row) -> Shape | None:
    """The shape that the keys of a row tell, None if they tell none."""
    if "messages" in row:
        return "messages"
    if "conversations" in row:
        return "sharegpt"
    if "instruction" in row and "output" in row:
        return "alpaca"
    if "prompt" in row and "completion" in row:
        return "prompt_completion"
    return None


def read_conversations(path: Path) -> Iterator[tuple[Shape, Conversation]]:
    """Yield (shape, conversation) for every row of a JSON or JSONL file, in the order of the file.

    Raises DatasetInvalid naming the first row at fault. A file without rows yields nothing.
    """
    shape: Shape | None = None
    for number, row in read_rows(path):
        found = shape_of(row)
        if found is None:
            keys = excerpt(sorted(row))
            raise fault(path, f"row {number}", f"no known shape of conversation in the keys {keys}", _MEND_SHAPE)
        shape = shape or found
        if found != shape:
            raise fault(path, f"row {number}", f"is {found}, the rows before it are {shape}", "keep to one shape")
        try:
            yield shape, Conversation(_CONVERT[shape](row))
        except _Fault as error:
            what, mend = error.args
            raise fault(path, f"row {number}", what, mend) from None


def _from_messages(row: Row) -> tuple[Message, ...]:
    _refuse_untrainable(row)
    return tuple(_openai_message(item) for item in _list(row, "messages"))


def _from_sharegpt(row: Row) -> tuple[Message, ...]:
    _refuse_untrainable(row)
    turns = [_message(item, "from", "value") for item in _list(row, "conversations")]
    return (*_system(row), *turns)


def _from_alpaca(row: Row) -> tuple[Message, ...]:
    """The prompt is instruction, newline, input; earlier turns in `history` are pairs and are learned too."""
    _refuse_untrainable(row)
    turns: list[Message] = []
    for pair in row.get("history") or []:
        if not (isinstance(pair, list) and len(pair) == 2):
            raise _Fault(f"history holds {excerpt(pair)}", "give history as pairs of [question, answer]")
        turns += _exchange(_content(pair[0], "history"), _content(pair[1], "history"))
    instruction, extra = _content(row["instruction"], "instruction"), _content(row.get("input") or "", "input")
    prompt = f"{instruction}\n{extra}" if extra else instruction
    return (*_system(row), *turns, *_exchange(prompt, _content(row["output"], "output")))


def _from_prompt_completion(row: Row) -> tuple[Message, ...]:
    """Both fields are text, or both are lists of messages; only the completion is learned."""
    _refuse_untrainable(row)
    prompt, completion = row["prompt"], row["completion"]
    if isinstance(prompt, str) and isinstance(completion, str):
        return _exchange(_content(prompt, "prompt"), _content(completion, "completion"))
    asked = [_openai_message(item) for item in _list(row, "prompt")]
    answered = [_openai_message(item) for item in _list(row, "completion")]
    return (*(Message(message.role, message.content, False) for message in asked), *answered)


_CONVERT: dict[Shape, Callable[[Row], tuple[Message, ...]]] = {
    "messages": _from_messages,
    "sharegpt": _from_sharegpt,
    "alpaca": _from_alpaca,
    "prompt_completion": _from_prompt_completion,
}


def _exchange(question: str, answer: str) -> tuple[Message, ...]:
    return (Message("user", question, False), Message("assistant", answer, True))


def _system(row: Row) -> tuple[Message, ...]:
    content = _content(row.get("system") or "", "system")
    return (Message("system", content, False),) if content else ()


def _list(row: Row, key: str) -> list[Any]:
    items = row[key]
    if not isinstance(items, list):
        raise _Fault(f"{key} is {excerpt(items)}, not a list", f"give {key} as a list of messages")
    return items


def _openai_message(item: Any) -> Message:
    return _message(item, "role", "content")


def _message(item: Any, role_key: str, content_key: str) -> Message:
    if not isinstance(item, dict) or role_key not in item:
        raise _Fault(
            f"{excerpt(item)} is not a message", f'give each message as an object with "{role_key}" and "{content_key}"'
        )
    _refuse_untrainable(item)
    role = _role(item[role_key])
    if content_key not in item:
        raise _Fault(f'a message of {role} has no "{content_key}"', f'give each message its "{content_key}"')
    content = _content(item[content_key], content_key)
    return Message(role, content, role == "assistant" and _weight(item))


def _role(name: Any) -> Role:
    if not isinstance(name, str):
        raise _Fault(f"role {excerpt(name)} is not text", f"use one of {', '.join(_ROLES)}")
    if name in _ROLES:
        return _ROLES[name]
    if name in _TOOL_ROLES:
        raise _Fault(f"a turn of {excerpt(name)}: tool calls cannot be trained yet", "take such rows out of the file")
    raise _Fault(f"unknown role {excerpt(name)}", f"use one of {', '.join(_ROLES)}")


def _content(value: Any, key: str) -> str:
    """The text of a message; a list of text parts is joined."""
    text = "".join(_part(part) for part in value) if isinstance(value, list) else value
    if not isinstance(text, str):
        raise _Fault(f"{key} is {excerpt(value)}, not text", f"give {key} as a string")
    if not _is_unicode(text):
        raise _Fault(f"{key} holds half of a surrogate pair: {ascii(text)[:80]}", "write whole characters")
    return text


def _is_unicode(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _part(part: Any) -> str:
    if isinstance(part, dict) and part.get("type") == "text" and isinstance(part.get("text"), str):
        text: str = part["text"]
        return text
    raise _Fault(f"a content part that is not text: {excerpt(part)}", "keep only parts of type text")


def _weight(item: Row) -> bool:
    """Whether the per-message loss weight, if any, is 1. Every spelling that is given must be 0 or 1."""
    weights = [(key, item[key]) for key in _WEIGHT_KEYS if item.get(key) is not None]
    for key, weight in weights:
        if weight not in (0, 1):
            raise _Fault(f"{key} is {excerpt(weight)}", f"give {key} as 0 (not learned) or 1 (learned)")
    return all(weight == 1 for _, weight in weights)


def _refuse_untrainable(item: Row) -> None:
    for key in _TOOL_KEYS:
        if item.get(key):
            raise _Fault(f"{key} is set: tool calls cannot be trained yet", "take such rows out of the file")
    for key in _OTHER_KEYS:
        if item.get(key):
            raise _Fault(f"{key} is set: only the text of a turn can be trained", f"remove {key}, or such rows")
