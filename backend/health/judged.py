"""As much of a job as judging it takes: a JobRow has it, and so has what ingest knows of one."""

from __future__ import annotations

from typing import Any, Protocol


class Judged(Protocol):
    """Columns of JobRow."""

    @property
    def id(self) -> str: ...

    @property
    def name(self) -> str: ...

    @property
    def tags(self) -> str: ...

    @property
    def step(self) -> int: ...

    conditions: Any
    rule_alarms: Any
