"""Counts what a pass over a file finds; holds some kilobytes however long the file is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from tunedeck.conversations.checks import Verdict, num_chars_of
from tunedeck.conversations.conversation import Conversation
from tunedeck.conversations.faults import Fault, file_fault
from tunedeck.conversations.lengths import Lengths
from tunedeck.conversations.reading import FaultKind, FaultPolicy
from tunedeck.conversations.report import FaultCount, FaultExample
from tunedeck.errors import DatasetInvalid

_NUM_SAMPLES = 5
_NUM_EXAMPLES = 5
_NUM_ROW_NUMBERS = 100
_MAX_SAMPLE_CHARS = 4000
_MAX_SAMPLE_ITEMS = 200


@dataclass
class _Kind:
    num_rows: int
    rows: list[int]
    examples: list[FaultExample]


class Tally:
    def __init__(self) -> None:
        self._num_rows = self.num_kept = self._num_truncated = 0
        self._kinds: dict[FaultKind, _Kind] = {}
        self._num_by_role: Counter[str] = Counter()
        self._chars, self._turns, self._tokens = Lengths(), Lengths(), Lengths()
        self._sample: list[dict[str, Any]] = []

    def add(self, number: int, verdict: Verdict) -> None:
        self._num_rows += 1
        if verdict.faults:
            self._count_faults(number, verdict.faults)
        conversation = verdict.conversation
        if conversation is None:
            return
        self.num_kept += 1
        self._num_truncated += verdict.action == "truncate"
        self._turns.add(len(conversation.messages))
        self._chars.add(sum(map(num_chars_of, conversation.messages)))
        if verdict.num_tokens:
            self._tokens.add(verdict.num_tokens)
        self._num_by_role.update([message.role for message in conversation.messages])
        if len(self._sample) < _NUM_SAMPLES:
            self._sample.append(_as_sample(conversation))

    def _count_faults(self, number: int, faults: list[Fault]) -> None:
        for kind, fault in {fault.kind: fault for fault in reversed(faults)}.items():
            found = self._kinds.setdefault(kind, _Kind(0, [], []))
            found.num_rows += 1
            if len(found.rows) < _NUM_ROW_NUMBERS:
                found.rows.append(number)
            if len(found.examples) < _NUM_EXAMPLES:
                found.examples.append(FaultExample(row=number, message=fault.message, mend=fault.mend))

    def figures(self, policy: FaultPolicy) -> dict[str, Any]:
        """The fields of a DatasetReport that rows tell."""
        return {
            "num_rows": self._num_rows,
            "num_trainable_rows": self.num_kept,
            "num_dropped_rows": self._num_rows - self.num_kept,
            "num_truncated_rows": self._num_truncated,
            "faults": tuple(self._fault_counts(policy)),
            "num_turns_by_role": dict(self._num_by_role),
            "chars": self._chars.statistics(),
            "turns": self._turns.statistics(),
            "tokens": self._tokens.statistics() if self._tokens.num else None,
            "sample": tuple(self._sample),
        }

    def first_fault(self, path: Path) -> DatasetInvalid:
        """The error about a file in which no row could be read."""
        example = min((found.examples[0] for found in self._kinds.values()), key=lambda example: example.row)
        return file_fault(path, f"row {example.row}", example.message, example.mend)

    def nothing_to_train(self, path: Path, num_rows: int) -> DatasetInvalid:
        fault = self.first_fault(path)
        place = fault.message.removeprefix(f"{path.name}, ")
        return file_fault(path, "", f"none of its first {num_rows:,} rows can be trained on; {place}", fault.mend)

    def _fault_counts(self, policy: FaultPolicy) -> Iterator[FaultCount]:
        for kind in get_args(FaultKind):
            if found := self._kinds.get(kind):
                yield FaultCount(
                    kind=kind,
                    action=policy.action(kind),
                    num_rows=found.num_rows,
                    rows=tuple(found.rows),
                    examples=tuple(found.examples),
                )


def _as_sample(conversation: Conversation) -> dict[str, Any]:
    """A row as the data page shows it; long texts and lists are cut."""
    messages = [message.as_shown() for message in conversation.messages]
    shown = {"messages": messages, "tools": list(conversation.tools)} if conversation.tools else {"messages": messages}
    return {key: _cut(value) for key, value in shown.items()}


def _cut(value: Any) -> Any:
    if isinstance(value, str):
        return value if len(value) <= _MAX_SAMPLE_CHARS else value[:_MAX_SAMPLE_CHARS] + "…"
    if isinstance(value, list):
        return [_cut(item) for item in value[:_MAX_SAMPLE_ITEMS]]
    if isinstance(value, dict):
        return {key[:_MAX_SAMPLE_CHARS]: _cut(item) for key, item in list(value.items())[:_MAX_SAMPLE_ITEMS]}
    return value
