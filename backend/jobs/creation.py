"""What is stored of new jobs: each with the first line of its history and its first event.

They are made from plain values, and so is the answer to whoever posted one: the row, the event and the answer say the
same. A session to which mapped objects are added was rejected: what it notes about each of some fifty columns takes
longer than to store the job, and nobody reads it. So was a JobDetail, which would be checked, taken apart by pydantic
and put together again, a tenth of what a job costs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

from sqlalchemy import Table

from backend.db.json_text import json_text
from backend.db.many_rows import Insertion
from backend.db.tables.jobs import JobRow, TransitionRow
from backend.jobs.transitions import EVENTS, event_of
from backend.jobs.usage import Usage
from backend.jobs.views import job_view
from tunedeck.spec import JobSpec

JOBS = cast(Table, JobRow.__table__)
TRANSITIONS = cast(Table, TransitionRow.__table__)


def _default(column: Any) -> Any:
    if column.default is None:
        return None
    return column.default.arg(None) if column.default.is_callable else column.default.arg


_DEFAULTS = {column.key: _default(column) for column in JOBS.columns}


@dataclass(frozen=True)
class Creation:
    """A new job: those of its columns that have no default or another value, its spec as asked, and what the first line
    of its history says. `at` is unix time in seconds."""

    given: dict[str, Any]
    spec: JobSpec
    who: str
    why: str
    at: float

    @cached_property
    def columns(self) -> dict[str, Any]:
        asked = self.spec.model_dump(mode="json", exclude_unset=True)
        return _DEFAULTS | self.given | {"spec": asked, "created_at": self.at}

    @cached_property
    def job(self) -> JobRow:
        """As it will be read; of no session."""
        job = JobRow()
        vars(job).update(self.columns)
        return job

    @cached_property
    def first_line(self) -> dict[str, Any]:
        """A TransitionView."""
        return {"at": self.at, "from_state": "", "to_state": self.columns["state"], "who": self.who, "why": self.why}

    @cached_property
    def view(self) -> dict[str, Any]:
        """Its JobView: what its first event says."""
        return job_view(self.job, Usage()).model_dump(mode="json")

    def detail_json(self) -> bytes:
        """Its JobDetail."""
        own = {name: self.columns[name] for name in ("spec", "resolved", "facts")}
        return json_text(self.view | own | {"transitions": [self.first_line]}).encode()


def rows_of(creations: Sequence[Creation]) -> tuple[Insertion, ...]:
    return (
        Insertion(JOBS, [each.columns for each in creations]),
        Insertion(TRANSITIONS, [{"job_id": each.job.id, **each.first_line} for each in creations]),
        Insertion(EVENTS, [event_of(each.job, each.view, each.at) for each in creations]),
    )
