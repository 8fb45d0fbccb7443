"""What the scheduler asks the database."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from backend.db.tables import AttemptRow, HostRow, JobRow
from tunedeck.lifecycle import JobState

# Each tick looks at no more jobs than this; the others wait their turn anyway.
MOST_QUEUED_JOBS = 200


def queued_jobs(session: Session, now: float) -> Sequence[JobRow]:
    """Those whose time has come, oldest first."""
    due = (JobRow.state == JobState.QUEUED, JobRow.not_before <= now)
    query = select(JobRow).where(*due).order_by(JobRow.created_at, JobRow.id)
    return session.scalars(query.limit(MOST_QUEUED_JOBS)).all()


def hosts_seen_since(session: Session, since: float) -> Sequence[HostRow]:
    return session.scalars(select(HostRow).where(HostRow.last_seen_at >= since).order_by(HostRow.name)).all()


def num_devices_in_use(session: Session) -> dict[str, int]:
    """By host name; hosts without a live attempt are missing."""
    query = (
        select(AttemptRow.host, func.sum(AttemptRow.num_devices))
        .where(AttemptRow.ended_at.is_(None))
        .group_by(AttemptRow.host)
    )
    return {host: int(num_devices) for host, num_devices in session.execute(query)}


def live_attempts(session: Session) -> list[tuple[JobRow, AttemptRow]]:
    """Those that hold devices."""
    query = (
        select(JobRow, AttemptRow)
        .join(AttemptRow, AttemptRow.job_id == JobRow.id)
        .where(AttemptRow.ended_at.is_(None))
        .order_by(AttemptRow.placed_at)
    )
    return [(job, attempt) for job, attempt in session.execute(query)]
