"""What one row of a data set says, whatever shape it came in: messages, and the tools that they may call.

Readers make it, checks judge it, loss masks write it out. The fields are those that chat templates read, under the
names by which templates call them. Plain dictionaries were rejected: a misspelt key would be left out of training
unseen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Role = Literal["system", "user", "assistant", "tool"]


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call that the assistant makes. `arguments` stay as the row gave them, an object or JSON text: templates write
    text unchanged, and the spaces in it would be lost if it were parsed."""

    name: str
    arguments: dict[str, Any] | str
    id: str = ""

    def as_dict(self) -> dict[str, Any]:
        call = {"type": "function", "function": {"name": self.name, "arguments": self.arguments}}
        return {"id": self.id, **call} if self.id else call


@dataclass(frozen=True, slots=True)
class Message:
    """One turn. `weight` is that of its tokens in the loss: 0 for all but assistant turns that shall be learned.

    `reasoning_content` holds thoughts that the row keeps beside the content; `name` is that of the tool which answers.
    """

    role: Role
    content: str
    weight: float
    reasoning_content: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    name: str = ""
    tool_call_id: str = ""

    @property
    def trained(self) -> bool:
        """Whether its tokens are learned, with whatever weight."""
        return self.weight > 0

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing in it that could be read or learned."""
        return not (self.content.strip() or self.reasoning_content.strip() or self.tool_calls)

    def as_dict(self) -> dict[str, Any]:
        """The message as OpenAI writes it and chat templates read it; what it does not have is left out."""
        message: dict[str, Any] = {"role": self.role, "content": self.content}
        if self.reasoning_content:
            message["reasoning_content"] = self.reasoning_content
        if self.tool_calls:
            message["tool_calls"] = [call.as_dict() for call in self.tool_calls]
        if self.name:
            message["name"] = self.name
        if self.tool_call_id:
            message["tool_call_id"] = self.tool_call_id
        return message

    def as_shown(self) -> dict[str, Any]:
        """The message for a person: `trained` beside it, and `weight` where that does not say all."""
        shown = {**self.as_dict(), "trained": self.trained}
        return shown if self.weight in (0, 1) else {**shown, "weight": self.weight}


@dataclass(frozen=True, slots=True)
class Conversation:
    """`tools` are function schemas as OpenAI writes them, handed to the template unchanged."""

    messages: tuple[Message, ...]
    tools: tuple[dict[str, Any], ...] = ()

    @property
    def is_trainable(self) -> bool:
        """Whether there is a non-empty assistant turn to learn from."""
        return any(message.trained and not message.is_empty for message in self.messages)
