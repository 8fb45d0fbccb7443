"""The one look-up of a job that must exist, for every slice that hangs something on a job."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from backend.db.tables.jobs import JobRow
from tunedeck.errors import NotFound

# Put together once, of columns of the table: every call about a job asks it.
_JOBS = JobRow.__table__
_KNOWN = select(_JOBS.c.id).where(_JOBS.c.id.in_(bindparam("ids", expanding=True)))


def no_such_job(job_id: str) -> NotFound:
    return NotFound(f"there is no job {job_id!r}", "list the jobs: GET /api/v1/jobs")


def require_jobs(session: Session, job_ids: Iterable[str]) -> None:
    """Raise NotFound for the first that does not exist."""
    asked = list(job_ids)
    known = set(session.scalars(_KNOWN, {"ids": asked}))
    for job_id in asked:
        if job_id not in known:
            raise no_such_job(job_id)
