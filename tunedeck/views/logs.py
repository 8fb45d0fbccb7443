"""Lines of engine.log: as they stand there, and found by a search."""

from __future__ import annotations

from pydantic import Field

from tunedeck.component import Component
from tunedeck.log_lines import LogLevel


class LogsView(Component):
    """Lines of engine.log, the first numbered `first_line` (from 1). `num_lines` is how many are stored in all."""

    attempt: int
    first_line: int
    lines: tuple[str, ...]
    num_lines: int


class LogLine(Component):
    number: int = Field(description="from 1")
    text: str
    rank: int | None = Field(description="None: the line names none")
    level: LogLevel


class LogMatches(Component):
    """Lines of engine.log that were searched for, in order. `next_line` goes on behind them; 0: that was all."""

    attempt: int
    lines: tuple[LogLine, ...]
    next_line: int
    num_lines: int
