"""Jobs that an older version of Tunedeck took and that have not begun: their resolved specs lack what this one asks.

They fail with a reason, once, when a backend begins to schedule. One that cannot be read must not stop the others,
which is what it did. They are looked for without the lock of those who write: reading ten thousand specs takes seconds.
"""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import ValidationError
from sqlalchemy import Text, cast, select
from sqlalchemy.orm import Session

from backend.db.tables.jobs import AttemptRow, JobRow
from backend.jobs.readable import MEND, unreadable
from backend.jobs.transitions import transition
from tunedeck.errors import SpecInvalid
from tunedeck.lifecycle import JobState
from tunedeck.resolved import ResolvedSpec
from tunedeck.views.jobs import JobFault

WHO = "scheduler"
NOT_BEGUN = (JobState.QUEUED, JobState.PLACING)
AT_A_TIME = 500


def outdated(session: Session) -> list[str]:
    """Their ids, in order."""
    specs = select(JobRow.id, cast(JobRow.resolved, Text)).where(JobRow.state.in_(NOT_BEGUN)).order_by(JobRow.id)
    rows = session.execute(specs, execution_options={"yield_per": AT_A_TIME})
    return [job_id for job_id, resolved in rows if not _is_readable(resolved)]


def fail_outdated(session: Session, job_ids: Iterable[str], now: float) -> list[str]:
    """Bring those that are so still to `failed`, their devices freed. `now` is unix time in seconds.
    Returns which these were."""
    failed = []
    for job_id in job_ids:
        job = session.get_one(JobRow, job_id)
        if job.state in NOT_BEGUN and (missing := unreadable(job)):
            _fail(session, job, missing, now)
            failed.append(job_id)
    return failed


def _is_readable(resolved: str) -> bool:
    try:
        ResolvedSpec.model_validate_json(resolved)
    except ValidationError:
        return False
    return True


def _fail(session: Session, job: JobRow, message: str, now: float) -> None:
    attempt = session.get(AttemptRow, (job.id, job.attempt))
    if attempt is not None and attempt.ended_at is None:
        attempt.ended_at = now
    job.fault = JobFault(code=SpecInvalid.code, message=message, mend=MEND, log_tail=()).model_dump(mode="json")
    transition(session, job, JobState.FAILED, WHO, message, now)
