"""Jobs that an older version of Tunedeck took and that have not begun: their resolved specs lack what this one asks.

They fail with a reason, once, when a backend begins to schedule. Resolving them again was rejected: a new default could
change what is trained without a word. One that cannot be read must not stop the others, which is what it did.
"""

from __future__ import annotations

from pydantic import ValidationError
from sqlalchemy import select
from sqlalchemy.orm import Session

from backend.db.tables import AttemptRow, JobRow
from backend.jobs.transitions import transition
from tunedeck.errors import SpecInvalid
from tunedeck.lifecycle import JobState
from tunedeck.resolved import ResolvedSpec
from tunedeck.views import JobFault

WHO = "scheduler"
MEND = "clone it and start the clone: the form then shows what the new version makes of it"


def fail_outdated(session: Session, now: float) -> list[str]:
    """Bring them to `failed`, their devices freed; returns their ids. `now` is unix time in seconds."""
    waiting = select(JobRow).where(JobRow.state.in_((JobState.QUEUED, JobState.PLACING)))
    failed = []
    for job in session.scalars(waiting.order_by(JobRow.id)):
        missing = _first_fault(job)
        if missing:
            _fail(session, job, f"it was taken by another version of Tunedeck: {missing}", now)
            failed.append(job.id)
    return failed


def _first_fault(job: JobRow) -> str:
    """What this version cannot read in the stored spec; "" where it can read it all."""
    try:
        ResolvedSpec.model_validate(job.resolved)
    except ValidationError as fault:
        first = fault.errors(include_url=False)[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg'].lower()}"
    return ""


def _fail(session: Session, job: JobRow, message: str, now: float) -> None:
    attempt = session.get(AttemptRow, (job.id, job.attempt))
    if attempt is not None and attempt.ended_at is None:
        attempt.ended_at = now
    job.fault = JobFault(code=SpecInvalid.code, message=message, mend=MEND, log_tail=()).model_dump(mode="json")
    transition(session, job, JobState.FAILED, WHO, message, now)
