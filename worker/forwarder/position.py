"""How far the files of a run folder have been published: a place in each file, in a form that fits one Redis value.

Byte offsets rather than sequence numbers, so that going back to a position is one seek, not a search.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass


@dataclass(frozen=True)
class Position:
    """Offsets in bytes of the first line that is not published; `log_line` is that line's number, from 1."""

    events_offset: int = 0
    log_offset: int = 0
    log_line: int = 1
    ended: int = 0  # 1: the EndedMessage is published too

    def encode(self) -> str:
        """The start is "", which is also what a bus that knows nothing of the attempt answers."""
        return "" if self == START else " ".join(str(number) for number in astuple(self))

    @classmethod
    def decode(cls, text: str) -> Position:
        return cls(*(int(number) for number in text.split()))


START = Position()
