"""Applies an action to one job, or to many: each in a transaction of its own, so that one refusal undoes nothing."""

from __future__ import annotations

from sqlalchemy.orm import Session

from backend.db.database import Database
from backend.db.known_jobs import no_such_job
from backend.db.tables.jobs import JobRow
from backend.jobs import queries
from backend.jobs.archiving import archive, unarchive
from backend.jobs.cancelling import cancel
from backend.jobs.detail import detail
from backend.jobs.pausing import pause, resume
from backend.jobs.queueing import hold, release, reprioritise
from backend.jobs.retrying import retry
from backend.jobs.tagging import change_tags
from tunedeck.actions import (
    Action,
    Archive,
    BulkAction,
    Cancel,
    Hold,
    Pause,
    Release,
    Reprioritise,
    Resume,
    Retry,
    Tag,
    Unarchive,
)
from tunedeck.errors import TunedeckError
from tunedeck.lifecycle import JobState
from tunedeck.views.jobs import ActionResult, BulkView, JobDetail


def act(database: Database, who: str, job_id: str, action: Action, now: float) -> JobDetail:
    """Idempotent. `who` is the name of the token that asks. Raises NotFound, Conflict, or what `action` may raise."""
    with database.writing() as session:
        _act(session, who, job_id, action, now)
        return detail(session, job_id)


def act_on_all(database: Database, who: str, asked: BulkAction, now: float) -> BulkView:
    """A result for each job, in the order of the ids, each id once."""
    return BulkView(
        results=tuple(_result(database, who, job_id, asked.action, now) for job_id in dict.fromkeys(asked.jobs))
    )


def _result(database: Database, who: str, job_id: str, action: Action, now: float) -> ActionResult:
    try:
        with database.writing() as session:
            state = JobState(_act(session, who, job_id, action, now).state)
    except TunedeckError as error:
        return ActionResult(job_id=job_id, state=None, error=error.as_dict())
    return ActionResult(job_id=job_id, state=state, error=None)


def _act(session: Session, who: str, job_id: str, action: Action, now: float) -> JobRow:
    job = queries.locked(session, job_id)
    if job is None:
        raise no_such_job(job_id)
    _apply(session, job, action, who, now)
    return job


def _apply(session: Session, job: JobRow, action: Action, who: str, now: float) -> None:
    match action:
        case Cancel():
            cancel(session, job, action.checkpoint, who, now)
        case Pause():
            pause(session, job, who, now)
        case Resume():
            resume(session, job, who, now)
        case Retry():
            retry(session, job, action, who, now)
        case Hold():
            hold(session, job, who, now)
        case Release():
            release(session, job, who, now)
        case Reprioritise():
            reprioritise(session, job, action.priority, who, now)
        case Archive():
            archive(session, job, who, now)
        case Unarchive():
            unarchive(session, job, who, now)
        case Tag():
            change_tags(session, job, action, who, now)
