"""The one look-up of a job that must exist, for every slice that hangs something on a job."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import select
from sqlalchemy.orm import Session

from backend.db.tables.jobs import JobRow
from tunedeck.errors import NotFound


def no_such_job(job_id: str) -> NotFound:
    return NotFound(f"there is no job {job_id!r}", "list the jobs: GET /api/v1/jobs")


def require_jobs(session: Session, job_ids: Iterable[str]) -> None:
    """Raise NotFound for the first that does not exist."""
    asked = list(job_ids)
    known = set(session.scalars(select(JobRow.id).where(JobRow.id.in_(asked))))
    for job_id in asked:
        if job_id not in known:
            raise no_such_job(job_id)
