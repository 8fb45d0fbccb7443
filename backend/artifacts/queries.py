"""SQL of artifacts: only which attempts a job has had. The files themselves are the list; a table would go stale."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from backend.db.tables.jobs import JobRow


def newest_attempt(session: Session, job_id: str) -> int | None:
    """0: never placed. None: there is no such job."""
    return session.scalar(select(JobRow.attempt).where(JobRow.id == job_id))
