"""Hold, release and priority: what decides whether and when a job gets its turn."""

from __future__ import annotations

from sqlalchemy.orm import Session

from backend.db.tables.jobs import JobRow
from backend.jobs.facts import Facts
from backend.jobs.intake import resolve_spec
from backend.jobs.readable import require_readable
from backend.jobs.refusals import refused
from backend.jobs.spec_index import sections_of_spec, store
from backend.jobs.transitions import transition, wish
from tunedeck.actions import APPLIES_TO
from tunedeck.lifecycle import WAITS_OR_RUNS, JobState
from tunedeck.spec import JobSpec


def hold(session: Session, job: JobRow, who: str, now: float) -> None:
    """Nothing for a held job; Conflict for one that does not wait in the queue."""
    if job.state == JobState.HELD:
        return
    if job.state not in APPLIES_TO["hold"]:
        raise refused(job, "hold")
    transition(session, job, JobState.HELD, who, "hold was asked for", now)


def release(session: Session, job: JobRow, who: str, now: float) -> None:
    """Nothing for a job that waits or runs. Raises SpecInvalid for a draft that cannot run any more."""
    state = JobState(job.state)
    if state is JobState.DRAFT:
        _resolve_again(session, job, now)
        transition(session, job, JobState.QUEUED, who, "submitted", now)
    elif state is JobState.HELD:
        require_readable(job)
        transition(session, job, JobState.QUEUED, who, "released", now)
    elif state not in WAITS_OR_RUNS:
        raise refused(job, "release")


def reprioritise(session: Session, job: JobRow, priority: int, who: str, now: float) -> None:
    """Nothing where the job has that priority; Conflict for one that ends or has ended."""
    if job.priority == priority:
        return
    if job.state not in APPLIES_TO["reprioritise"]:
        raise refused(job, "reprioritise")
    why = f"priority {job.priority} becomes {priority}"
    job.priority = priority
    wish(session, job, who, why, now)


def _resolve_again(session: Session, job: JobRow, now: float) -> None:
    """What is registered and connected may have changed since the draft was made."""
    spec = JobSpec.model_validate(job.spec)
    for name, value in resolve_spec(Facts(session, now), job.owner, spec).columns().items():
        setattr(job, name, value)
    store(session, job.id, sections_of_spec(spec, job.resolved))
