"""Jobs that an older version of Tunedeck took and that have not begun: their resolved specs lack what this one asks.

They fail with a reason, once, when a backend begins to schedule. One that cannot be read must not stop the others,
which is what it did.
"""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from backend.db.tables import AttemptRow, JobRow
from backend.jobs.readable import MEND, unreadable
from backend.jobs.transitions import transition
from tunedeck.errors import SpecInvalid
from tunedeck.lifecycle import JobState
from tunedeck.views import JobFault

WHO = "scheduler"


def fail_outdated(session: Session, now: float) -> list[str]:
    """Bring them to `failed`, their devices freed; returns their ids. `now` is unix time in seconds."""
    waiting = select(JobRow).where(JobRow.state.in_((JobState.QUEUED, JobState.PLACING)))
    failed = []
    for job in session.scalars(waiting.order_by(JobRow.id)):
        if missing := unreadable(job):
            _fail(session, job, missing, now)
            failed.append(job.id)
    return failed


def _fail(session: Session, job: JobRow, message: str, now: float) -> None:
    attempt = session.get(AttemptRow, (job.id, job.attempt))
    if attempt is not None and attempt.ended_at is None:
        attempt.ended_at = now
    job.fault = JobFault(code=SpecInvalid.code, message=message, mend=MEND, log_tail=()).model_dump(mode="json")
    transition(session, job, JobState.FAILED, WHO, message, now)
