"""How a file is read: which shape its rows have, which columns hold what, and what becomes of a row with a fault.

A `Reading` is stored with the data set and travels in the resolved spec, so that the engine reads exactly what was
inspected at registration. All of it has defaults: a file of a known shape needs none.
"""

from __future__ import annotations

from typing import Final, Literal

from pydantic import Field

from tunedeck.component import Component
from tunedeck.conversations.conversation import Role

Shape = Literal["messages", "sharegpt", "alpaca", "prompt_completion"]

Action = Literal["keep", "drop", "truncate", "fail"]

FaultKind = Literal[
    "malformed",
    "encoding",
    "unknown_role",
    "broken_tool_call",
    "empty_turn",
    "wrong_order",
    "no_assistant_turn",
    "overlong",
    "duplicate",
]


class FaultPolicy(Component):
    """What becomes of a row with a fault of each kind.

    `fail` refuses the data set. `drop` leaves the row out. `truncate` keeps the turns before the faulty one, back to
    the last assistant turn that is learned, and leaves the row out where there is none. `keep` trains the row as it is,
    and is offered where that is possible. Every row with a fault is counted, whatever the policy.
    """

    malformed: Literal["drop", "fail"] = Field("fail", description="not an object, or not of the shape")
    encoding: Literal["drop", "fail"] = Field("fail", description="bytes that are not UTF-8, half characters, NUL")
    unknown_role: Literal["drop", "truncate", "fail"] = Field("fail", description="a role that nobody knows")
    broken_tool_call: Literal["drop", "truncate", "fail"] = Field("fail", description="a call or tool that is not JSON")
    empty_turn: Action = Field("keep", description="a turn without text, thoughts and calls")
    wrong_order: Action = Field("keep", description="turns that do not alternate")
    no_assistant_turn: Literal["drop", "fail"] = Field("drop", description="nothing to learn")
    overlong: Action = Field("keep", description="more than max_chars, or more than max_tokens")
    duplicate: Literal["keep", "drop", "fail"] = Field("keep", description="the same as a row before it")

    def action(self, kind: FaultKind) -> Action:
        found: Action = getattr(self, kind)
        return found


class ColumnMapping(Component):
    """Under which name the file has each column. `role_key` and `content_key` are the keys inside a turn, "" for those
    of the shape: role and content for `messages`, from and value for `sharegpt`."""

    messages: str = Field("messages", min_length=1)
    conversations: str = Field("conversations", min_length=1)
    instruction: str = Field("instruction", min_length=1)
    input: str = Field("input", min_length=1)
    output: str = Field("output", min_length=1)
    system: str = Field("system", min_length=1)
    history: str = Field("history", min_length=1)
    prompt: str = Field("prompt", min_length=1)
    completion: str = Field("completion", min_length=1)
    tools: str = Field("tools", min_length=1)
    role_key: str = ""
    content_key: str = ""


class Reading(Component):
    """`shape` None: the first row tells. `roles` adds names of roles to those that are known."""

    shape: Shape | None = None
    columns: ColumnMapping = ColumnMapping()
    roles: dict[str, Role] = Field({}, description="what a role of the file's own stands for")
    policy: FaultPolicy = FaultPolicy()
    max_chars: int = Field(1_000_000, ge=1, le=2**40, description="characters of a conversation, above: overlong")
    max_tokens: int | None = Field(None, ge=1, le=2**40, description="tokens of a conversation, above: overlong")


DEFAULT_READING: Final = Reading()
