"""What can be wrong: with one row, which the policy decides about, or with the whole file, which nobody can read on.

The message of a fault names the value and never the row; whoever knows the number puts it in front.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tunedeck.conversations.reading import FaultKind
from tunedeck.errors import DatasetInvalid


@dataclass(frozen=True, slots=True)
class Fault:
    """`turn` is the index of the first message that cannot stay: a truncated conversation ends before it."""

    kind: FaultKind
    message: str
    mend: str
    turn: int = 0


class Faulty(Exception):
    """Carries a fault out of the conversion of one turn or one row."""

    def __init__(self, kind: FaultKind, message: str, mend: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.mend = mend

    def at(self, turn: int) -> Fault:
        return Fault(self.kind, self.message, self.mend, turn)


def file_fault(path: Path, where: str, what: str, mend: str) -> DatasetInvalid:
    """The error for one place of a file: `where` is "row 3" or "" for the whole file."""
    place = f"{path.name}, {where}" if where else path.name
    return DatasetInvalid.at("path", str(path), f"{place}: {what}", mend)


def no_rows(path: Path) -> DatasetInvalid:
    return file_fault(path, "", "holds no rows", "give at least one conversation")


def excerpt(value: Any, limit: int = 80) -> str:
    """A value as it may appear in a sentence: on one line, short, and always encodable."""
    text = json.dumps(_shortened(value, limit), ensure_ascii=False, default=str)
    text = text.encode(errors="backslashreplace").decode()
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _shortened(value: Any, limit: int) -> Any:
    """A value of megabytes is not written out for a sentence."""
    if isinstance(value, str):
        return value[: limit + 1]
    if isinstance(value, list):
        return [_shortened(item, limit) for item in value[:limit]]
    if isinstance(value, dict):
        return {str(key)[:limit]: _shortened(item, limit) for key, item in list(value.items())[:limit]}
    return value
