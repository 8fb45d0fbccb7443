"""The one place that changes a job's state. Each change leaves three things in the caller's transaction: the new state,
a line of the job's history and a `job` event in the feed, so that no listener can miss a change that happened.

It refuses to commit (the caller's transaction decides) and to judge whether a change is wise: that is the caller's
question; whether it is legal is `tunedeck/lifecycle.py`'s, and a trigger of the database holds every writer to it, also
one whose row is no longer what it read. A trigger that writes the history was rejected: it could not say who and why.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy import Table
from sqlalchemy.orm import Session

from backend.alerts import triggers
from backend.db.many_rows import insert_all, insert_new
from backend.db.tables import EventRow, JobRow, TransitionRow
from backend.health import conditions
from backend.jobs.usage import Usage, usage_of
from backend.jobs.views import job_view
from tunedeck.lifecycle import FINAL, Desired, JobState, check_transition

JOBS = cast(Table, JobRow.__table__)
EVENTS = cast(Table, EventRow.__table__)
TRANSITIONS = cast(Table, TransitionRow.__table__)
_OF_FIRST = ("job_id", "at", "from_state", "to_state", "who", "why")


def transition(session: Session, job: JobRow, to: JobState, who: str, why: str, now: float) -> None:
    """Move `job` to the state `to`. Set `fault` and the other columns that go with it before the call.

    `now` is unix time in seconds. Raises IllegalTransition, with nothing changed, where the lifecycle has no such way.
    """
    change_state(session, job, to, who, why, now)
    announce(session, job, now)


def change_state(session: Session, job: JobRow, to: JobState, who: str, why: str, now: float) -> None:
    """`transition` without the event: whoever changes many jobs announces them all at once, in the same transaction."""
    check_transition(JobState(job.state), to)
    session.add(TransitionRow(job_id=job.id, at=now, from_state=job.state, to_state=to.value, who=who, why=why))
    job.state = to.value
    if to in (JobState.QUEUED, JobState.PAUSED):
        job.phase = ""
    if to is JobState.QUEUED:
        job.desired, job.ended_at, job.fault = Desired.RUN, None, None
        job.archived_at = None
    if to is JobState.STARTING and job.started_at is None:
        job.started_at = now
    if to in FINAL:
        job.ended_at = now
    had = conditions.codes(job)
    conditions.after_transition(job, now)
    triggers.on_transition(session, job, had, why, now)


def wish(session: Session, job: JobRow, who: str, why: str, now: float) -> None:
    """Tell of a change to `job` that leaves its state as it is. Make the change before the call."""
    session.add(TransitionRow(job_id=job.id, at=now, from_state=job.state, to_state=job.state, who=who, why=why))
    announce(session, job, now)


@dataclass(frozen=True)
class Creation:
    """A new job, and what the first line of its history says. `at` is unix time in seconds."""

    job: JobRow
    who: str
    why: str
    at: float

    def first_line(self) -> TransitionRow:
        states = {"from_state": "", "to_state": self.job.state}
        return TransitionRow(job_id=self.job.id, at=self.at, who=self.who, why=self.why, **states)


def created_all(session: Session, creations: Sequence[Creation]) -> list[TransitionRow]:
    """Store new jobs, each with the first line of its history; these are returned. Both are not of the session."""
    firsts = [each.first_line() for each in creations]
    insert_all(session, JOBS, [_columns(each.job) for each in creations])
    insert_all(session, TRANSITIONS, [{name: getattr(first, name) for name in _OF_FIRST} for first in firsts])
    insert_new(session, EVENTS, [_event(each.job, Usage(), each.at) for each in creations])
    return firsts


def _columns(job: JobRow) -> dict[str, Any]:
    """By name, with the defaults of those that were not set; the job has them afterwards."""
    for column in JOBS.columns:
        if column.default is not None and column.key not in vars(job):
            default = column.default.arg  # type: ignore[attr-defined]
            setattr(job, column.key, default(None) if callable(default) else default)
    return {column.key: getattr(job, column.key) for column in JOBS.columns}


def announce(session: Session, job: JobRow, now: float) -> None:
    """Put the job as it stands now into the feed, as a `job` event whose payload is its JobView."""
    announce_all(session, [job], now)


def announce_all(session: Session, jobs: Sequence[JobRow], now: float) -> None:
    """`announce` for each of `jobs`, at the price of little more than one."""
    session.flush()
    used = usage_of(session, jobs)
    insert_new(session, EVENTS, [_event(job, used[job.id], now) for job in jobs])


def _event(job: JobRow, usage: Usage, now: float) -> dict[str, Any]:
    return {
        "job_id": job.id,
        "attempt": job.attempt,
        "seq": None,
        "kind": "job",
        "step": job.step,
        "t": now,
        "payload": job_view(job, usage).model_dump(mode="json"),
    }
