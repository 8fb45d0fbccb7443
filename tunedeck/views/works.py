"""Long work that a request began."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from tunedeck.component import Component


class WorkView(Component):
    """Long work of the backend. `done` of `total` `unit`s; total 0: not known. `result` is what the call that began it
    would have answered, had it been quick."""

    id: str
    kind: str
    title: str
    state: Literal["waiting", "running", "stopping", "succeeded", "failed", "cancelled"]
    done: int
    total: int
    unit: str
    created_at: float
    ended_at: float | None
    result: Any
    fault: dict[str, Any] | None = Field(description="code, message, mend, problems of errors.py")
