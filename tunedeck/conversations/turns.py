"""One turn of a row as a message: its role, its text, its weight, the calls it makes.

Both dialects (OpenAI's role/content and ShareGPT's from/value) are read by the same code, because people mix them.
Nothing that would change what is trained is left out in silence: images, a weight that is no number, a call that is not
JSON are faults. What only describes a turn (an id, a date) is left out.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from tunedeck.conversations.conversation import Message, Role, ToolCall
from tunedeck.conversations.faults import Faulty, excerpt

Row = dict[str, Any]

ROLES: Final[dict[str, Role]] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "model": "assistant",
    "tool": "tool",
    "function": "tool",
    "observation": "tool",
    "tool_response": "tool",
}
# The content of such a turn is the call itself, as JSON.
_CALL_ROLES = frozenset({"function_call", "tool_call"})
_MEDIA_KEYS = ("images", "videos", "audios")
_REASONING_KEYS = ("reasoning_content", "thinking")
_WEIGHT_KEYS = ("loss_weight", "weight")
# slime's name: a turn is learned where it is 1, and not where it is anything else.
_MASK_KEY = "step_loss_mask"
# Less than the least would be lost in float32 beside the most; more than the most is a slip.
_LEAST_WEIGHT, _MOST_WEIGHT = 1e-6, 100
# What a turn may have beside role and content; most have none of it.
SPECIAL_KEYS = frozenset({*_MEDIA_KEYS, *_REASONING_KEYS, *_WEIGHT_KEYS, _MASK_KEY}) | {
    "tool_calls",
    "function_call",
    "name",
    "tool_call_id",
}
_MEND_CALL = 'write a call as {"name": "…", "arguments": {…}}, the arguments as an object or as JSON text'


@dataclass(frozen=True, slots=True)
class Dialect:
    """The keys of a turn, and the roles of the file's own beside those that everybody knows."""

    role_key: str
    content_key: str
    roles: Mapping[str, Role]

    def message(self, item: Any) -> Message:
        """Raises Faulty."""
        if not isinstance(item, dict) or self.role_key not in item:
            mend = f'give each message as an object with "{self.role_key}" and "{self.content_key}"'
            raise Faulty("malformed", f"{excerpt(item)} is not a message", mend)
        name = item[self.role_key]
        role = self._role(name)
        if role is None:
            return _calling(text_of(item.get(self.content_key), self.content_key), item)
        special = not SPECIAL_KEYS.isdisjoint(item)
        calls = _calls(item) if special else ()
        content = item.get(self.content_key)
        if content is None and calls:
            content = ""
        elif self.content_key not in item:
            mend = f'give each message its "{self.content_key}"'
            raise Faulty("malformed", f'a message of {role} has no "{self.content_key}"', mend)
        text = text_of(content, self.content_key)
        if not special:
            return Message(role, text, 1.0 if role == "assistant" else 0.0)
        return _special(role, text, calls, item)

    def _role(self, name: Any) -> Role | None:
        """None for a turn that is a call."""
        if not isinstance(name, str):
            raise Faulty("unknown_role", f"role {excerpt(name)} is not text", f"use one of {', '.join(ROLES)}")
        role = self.roles.get(name) or ROLES.get(name)
        if role is None and name not in _CALL_ROLES:
            mend = f"use one of {', '.join(ROLES)}, or say what {excerpt(name)} stands for"
            raise Faulty("unknown_role", f"unknown role {excerpt(name)}", mend)
        return role


def text_of(value: Any, key: str) -> str:
    """The text of a message; a list of text parts is joined. Raises Faulty."""
    text = value if isinstance(value, str) else _joined(value, key)
    if "\0" in text:
        raise Faulty("encoding", f"{key} holds a NUL character: {ascii(text)[:80]}", "save the file as UTF-8 text")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            around = ascii(text[max(error.start - 10, 0) : error.start + 10])
            raise Faulty(
                "encoding", f"{key} holds half of a surrogate pair: {around}", "write whole characters"
            ) from None
    return text


def tools_of(value: Any, key: str) -> tuple[dict[str, Any], ...]:
    """The tools of a row as OpenAI writes them, from a list or from JSON text; a bare function is wrapped."""
    if not value:
        return ()
    tools = _json(value, f"{key} is") if isinstance(value, str) else value
    if not isinstance(tools, list) or not all(isinstance(tool, dict) for tool in tools):
        raise Faulty(
            "broken_tool_call", f"{key} is {excerpt(value)}, not a list of tools", "give a JSON list of objects"
        )
    return tuple(tool if "function" in tool else {"type": "function", "function": tool} for tool in tools)


def refuse_media(item: Row) -> None:
    for key in _MEDIA_KEYS:
        if item.get(key):
            raise Faulty("malformed", f"{key} is set: only text can be trained", f"remove {key}, or such rows")


def _joined(value: Any, key: str) -> str:
    if not isinstance(value, list):
        raise Faulty("malformed", f"{key} is {excerpt(value)}, not text", f"give {key} as a string")
    return "".join(map(_part, value))


def _part(part: Any) -> str:
    if isinstance(part, dict) and part.get("type") == "text" and isinstance(part.get("text"), str):
        text: str = part["text"]
        return text
    raise Faulty("malformed", f"a content part that is not text: {excerpt(part)}", "keep only parts of type text")


def _special(role: Role, text: str, calls: tuple[ToolCall, ...], item: Row) -> Message:
    refuse_media(item)
    reasoning = _reasoning(item)
    if role != "assistant" and (calls or reasoning):
        what = "calls a tool" if calls else "has reasoning"
        raise Faulty("malformed", f"a turn of {role} {what}", "only assistant turns call tools and reason")
    return Message(
        role=role,
        content=text,
        weight=_weight(item) if role == "assistant" else 0.0,
        reasoning_content=reasoning,
        tool_calls=calls,
        name=text_of(item.get("name") or "", "name") if role == "tool" else "",
        tool_call_id=text_of(item.get("tool_call_id") or "", "tool_call_id") if role == "tool" else "",
    )


def _calling(text: str, item: Row) -> Message:
    """ShareGPT's function_call: one call, or a list of them, is the whole turn."""
    value = _json(text, "a call is")
    calls = tuple(_call(call) for call in (value if isinstance(value, list) else [value]))
    return Message("assistant", "", _weight(item), tool_calls=calls)


def _calls(item: Row) -> tuple[ToolCall, ...]:
    """OpenAI's tool_calls, and the single function_call that came before them."""
    calls = item.get("tool_calls") or []
    if isinstance(calls, str):
        calls = _json(calls, "tool_calls is")
    if not isinstance(calls, list):
        raise Faulty("broken_tool_call", f"tool_calls is {excerpt(calls)}, not a list", _MEND_CALL)
    if item.get("function_call"):
        calls = [*calls, item["function_call"]]
    return tuple(map(_call, calls))


def _call(value: Any) -> ToolCall:
    function = value.get("function", value) if isinstance(value, dict) else None
    name = function.get("name") if isinstance(function, dict) else None
    if not isinstance(function, dict) or not isinstance(name, str) or not name:
        raise Faulty("broken_tool_call", f"{excerpt(value)} is not a call of a tool", _MEND_CALL)
    arguments = function.get("arguments")
    arguments = {} if arguments is None else arguments
    parsed = _json(arguments, f"the arguments of {excerpt(name)} are") if isinstance(arguments, str) else arguments
    if not isinstance(parsed, dict):
        raise Faulty("broken_tool_call", f"the arguments of {excerpt(name)} are no JSON object", _MEND_CALL)
    if isinstance(arguments, dict):
        text_of(json.dumps(arguments, ensure_ascii=False), "arguments")
    else:
        text_of(arguments, "arguments")
    return ToolCall(text_of(name, "name"), arguments, text_of(value.get("id") or "", "id"))


def _json(text: str, what: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Faulty("broken_tool_call", f"{what} not JSON: {excerpt(text)}", _MEND_CALL) from error


def _reasoning(item: Row) -> str:
    for key in _REASONING_KEYS:
        if item.get(key):
            return text_of(item[key], key)
    return ""


def _weight(item: Row) -> float:
    """The weight of an answer in the loss, 1 where the turn says nothing of it."""
    weights = {key: _loss_weight(key, item[key]) for key in _WEIGHT_KEYS if item.get(key) is not None}
    if len(set(weights.values())) > 1:
        raise _contradiction(item, *weights)
    mask = item.get(_MASK_KEY)
    is_learned = mask is None or _number(_MASK_KEY, mask, "1 (learned) or 0 (not learned)") == 1
    for key, weight in weights.items():
        if mask is not None and is_learned != (weight > 0):
            raise _contradiction(item, _MASK_KEY, key)
        return weight
    return float(is_learned)


def _loss_weight(key: str, value: Any) -> float:
    wanted = f"0 (not learned) or a number from {_LEAST_WEIGHT:f} to {_MOST_WEIGHT}"
    weight = _number(key, value, wanted)
    if weight != 0 and not _LEAST_WEIGHT <= weight <= _MOST_WEIGHT:
        raise Faulty("malformed", f"{key} is {excerpt(value)}", f"give {key} as {wanted}")
    return float(weight)


def _number(key: str, value: Any, wanted: str) -> int | float | Decimal:
    is_whole = isinstance(value, int)
    if is_whole or (isinstance(value, float | Decimal) and math.isfinite(value)):
        number: int | float | Decimal = value
        return number
    raise Faulty("malformed", f"{key} is {excerpt(value)}", f"give {key} as {wanted}")


def _contradiction(item: Row, one: str, other: str) -> Faulty:
    what = f"{one} is {excerpt(item[one])}, but {other} is {excerpt(item[other])}"
    return Faulty("malformed", what, f"give only one of {one} and {other}, or both the same")
