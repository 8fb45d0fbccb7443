"""What is wrong with a conversation, and what the policy makes of it.

Inspection and training both decide here, so that a row which was counted as dropped is never trained, and the other way
round. A row goes through three stages, each on what the one before left: its turns could be read, they make sense as a
conversation, no row before it said the same. Where tokens are counted, that comes between the last two.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from tunedeck.conversations.conversation import Conversation, Message
from tunedeck.conversations.faults import Fault, Faulty
from tunedeck.conversations.reading import Action, FaultPolicy, Reading
from tunedeck.conversations.seen import Seen, key_of
from tunedeck.conversations.shapes import Converted

TokenCounter = Callable[[Conversation], int]


@dataclass(slots=True)
class Verdict:
    """`conversation` is what is trained of the row, None where nothing is. `action` is the harshest that was taken.
    `num_tokens` is 0 where nobody counts them."""

    conversation: Conversation | None
    faults: list[Fault] = field(default_factory=list)
    action: Action = "keep"
    num_tokens: int = 0

    def refused_by(self, policy: FaultPolicy) -> Fault | None:
        """The first fault for which the policy refuses the data set."""
        if self.action != "fail":
            return None
        return next(fault for fault in self.faults if policy.action(fault.kind) == "fail")


class Judge:
    """Judges the rows of one file in order; remembers them, to find duplicates, unless it `is_forgetful`."""

    def __init__(self, reading: Reading, num_tokens: TokenCounter | None = None, *, is_forgetful: bool = False) -> None:
        self._reading = reading
        self._num_tokens = num_tokens
        self._seen = Seen()
        self._is_forgetful = is_forgetful

    @property
    def num_rows_compared(self) -> int:
        return self._seen.num_known

    def judge(self, converted: Converted) -> Verdict:
        verdict = Verdict(converted.conversation)
        if converted.faults:
            self._apply(verdict, converted.faults)
        if verdict.conversation is not None:
            self._apply(verdict, list(self._faults_of(verdict.conversation)))
        if verdict.conversation is not None and self._num_tokens is not None:
            self._count_tokens(verdict, verdict.conversation, self._num_tokens)
        if self._is_forgetful or verdict.conversation is None:
            return verdict
        if not self._seen.add(key_of(verdict.conversation)):
            self._apply(verdict, [DUPLICATE])
        return verdict

    def refuse(self, fault: Fault) -> Verdict:
        """The verdict about a row that could not even be read."""
        verdict = Verdict(Conversation(()))
        self._apply(verdict, [fault])
        return verdict

    def _apply(self, verdict: Verdict, faults: Iterable[Fault]) -> None:
        for fault in faults:
            verdict.faults.append(fault)
            action = self._reading.policy.action(fault.kind)
            verdict.action = max(verdict.action, action, key=_SEVERITY.__getitem__)
            if verdict.conversation is None or action == "keep":
                continue
            cut = truncated(verdict.conversation, fault.turn) if action == "truncate" else None
            verdict.conversation = cut
            if cut is None and action == "truncate":
                verdict.action = max(verdict.action, "drop", key=_SEVERITY.__getitem__)

    def _count_tokens(self, verdict: Verdict, conversation: Conversation, num_tokens: TokenCounter) -> None:
        most = self._reading.max_tokens
        try:
            num = verdict.num_tokens = num_tokens(conversation)
            if most is None or num <= most:
                return
            fitting: Conversation | None = conversation
            while fitting is not None and verdict.num_tokens > most:
                fitting = truncated(fitting, len(fitting.messages) - 1)
                verdict.num_tokens = num_tokens(fitting) if fitting else 0
        except Faulty as fault:
            self._apply(verdict, [fault.at(0)])
            return
        mend = "split the conversation, or truncate such rows"
        self._apply(verdict, [Fault("overlong", f"{num:,} tokens", mend, len(fitting.messages) if fitting else 0)])
        if verdict.conversation is conversation:
            verdict.num_tokens = num

    def _faults_of(self, conversation: Conversation) -> Iterator[Fault]:
        messages = conversation.messages
        if not conversation.is_trainable:
            yield _NO_ASSISTANT if messages else _NO_TURNS
        for index, message in enumerate(messages):
            if message.is_empty:
                yield Fault(
                    "empty_turn", f"turn {index + 1}, of {message.role}, is empty", "fill it or remove it", index
                )
                break
        yield from _order(messages)
        yield from self._length(messages)

    def _length(self, messages: tuple[Message, ...]) -> Iterator[Fault]:
        most = self._reading.max_chars
        num_chars = 0
        for index, message in enumerate(messages):
            num_chars += num_chars_of(message)
            if num_chars > most:
                what = f"longer than {most:,} characters from turn {index + 1} on"
                yield Fault("overlong", what, "split the conversation, or truncate such rows", index)
                return


def truncated(conversation: Conversation, turn: int) -> Conversation | None:
    """The turns before `turn`, back to the last assistant turn that is learned; None where there is none."""
    messages = conversation.messages[:turn]
    while messages and not (messages[-1].trained and not messages[-1].is_empty):
        messages = messages[:-1]
    return Conversation(messages, conversation.tools) if messages else None


def num_chars_of(message: Message) -> int:
    """Characters of everything in it that a template writes out."""
    num = len(message.content) + len(message.reasoning_content)
    for call in message.tool_calls:
        num += len(call.name) + len(call.arguments if isinstance(call.arguments, str) else str(call.arguments))
    return num


def _order(messages: tuple[Message, ...]) -> Iterator[Fault]:
    before = "start"
    for index, message in enumerate(messages):
        if message.role not in _NEXT[before]:
            what = f"turn {index + 1} is of {message.role}, behind " + (before if index else "nothing")
            yield Fault("wrong_order", what, "let user and assistant take turns, the system come first", index)
            return
        before = message.role


_SEVERITY: dict[Action, int] = {"keep": 0, "truncate": 1, "drop": 2, "fail": 3}
_NEXT: dict[str, frozenset[str]] = {
    "start": frozenset({"system", "user"}),
    "system": frozenset({"user"}),
    "user": frozenset({"assistant"}),
    "assistant": frozenset({"user", "tool"}),
    "tool": frozenset({"tool", "assistant"}),
}
_MEND_ASSISTANT = "give the row a non-empty assistant turn"
_NO_ASSISTANT = Fault("no_assistant_turn", "has no assistant turn to learn from", _MEND_ASSISTANT)
_NO_TURNS = Fault("no_assistant_turn", "has no turns at all", _MEND_ASSISTANT)
DUPLICATE = Fault("duplicate", "says the same as a row before it", "remove one of them, or drop duplicates")
