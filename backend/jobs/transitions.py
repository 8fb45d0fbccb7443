"""The one place that changes a job's state. Each change leaves three things in the caller's transaction: the new state,
a line of the job's history and a `job` event in the feed, so that no listener can miss a change that happened.

It refuses to commit (the caller's transaction decides) and to judge whether a change is wise: that is the caller's
question; whether it is legal is `tunedeck/lifecycle.py`'s, and a trigger of the database holds every writer to it, also
one whose row is no longer what it read. A trigger that writes the history was rejected: it could not say who and why.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from sqlalchemy import Table
from sqlalchemy.orm import Session

from backend.alerts import triggers
from backend.db.many_rows import insert_new
from backend.db.tables.events import EventRow
from backend.db.tables.jobs import JobRow, TransitionRow
from backend.health import conditions
from backend.jobs.usage import usage_of
from backend.jobs.views import job_view
from tunedeck.lifecycle import FINAL, Desired, JobState, check_transition

EVENTS = cast(Table, EventRow.__table__)


def transition(session: Session, job: JobRow, to: JobState, who: str, why: str, now: float) -> None:
    """Move `job` to the state `to`. Set `fault` and the other columns that go with it before the call.

    `now` is unix time in seconds. Raises IllegalTransition, with nothing changed, where the lifecycle has no such way.
    """
    change_state(session, job, to, who, why, now)
    announce(session, job, now)


def transition_all(session: Session, changes: Sequence[tuple[JobRow, str]], to: JobState, who: str, now: float) -> None:
    """`transition` for each job, with its reason, at the price of little more than one."""
    for job, why in changes:
        change_state(session, job, to, who, why, now)
    announce_all(session, [job for job, _ in changes], now)


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


def announce(session: Session, job: JobRow, now: float) -> None:
    """Put the job as it stands now into the feed, as a `job` event whose payload is its JobView."""
    announce_all(session, [job], now)


def announce_all(session: Session, jobs: Sequence[JobRow], now: float) -> None:
    """`announce` for each of `jobs`, at the price of little more than one."""
    if not jobs:
        return
    session.flush()
    used = usage_of(session, jobs)
    insert_new(
        session, EVENTS, [event_of(job, job_view(job, used[job.id]).model_dump(mode="json"), now) for job in jobs]
    )


def event_of(job: JobRow, view: dict[str, Any], now: float) -> dict[str, Any]:
    """The columns of a `job` event; `view` is the JobView as JSON."""
    return {
        "job_id": job.id,
        "attempt": job.attempt,
        "seq": None,
        "kind": "job",
        "step": job.step,
        "t": now,
        "payload": view,
    }
