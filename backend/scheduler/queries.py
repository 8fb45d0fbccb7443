"""What the scheduler asks the database."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from backend.db.tables import AttemptRow, JobRow, SetAsideRow


def devices_set_aside(session: Session) -> dict[str, tuple[int, ...]]:
    """Indices by host name; hosts whose devices are all well are missing."""
    query = select(SetAsideRow.host, SetAsideRow.device_index).where(SetAsideRow.released_at.is_(None))
    found: dict[str, tuple[int, ...]] = {}
    for host, index in session.execute(query.order_by(SetAsideRow.device_index)):
        found[host] = (*found.get(host, ()), index)
    return found


def live_attempts(session: Session) -> list[tuple[JobRow, AttemptRow]]:
    """Those that hold devices."""
    query = (
        select(JobRow, AttemptRow)
        .join(AttemptRow, AttemptRow.job_id == JobRow.id)
        .where(AttemptRow.ended_at.is_(None))
        .order_by(AttemptRow.placed_at)
    )
    return [(job, attempt) for job, attempt in session.execute(query)]
