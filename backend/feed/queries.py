"""What the feed reads from the database."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from backend.db.tables.events import EventRow
from backend.db.tables.jobs import AttemptRow
from backend.db.tables.metrics import MetricChunkRow

# Put together once: every call for points and every listener asks it.
_NEWEST = select(func.max(EventRow.__table__.c.id))


def newest_id(session: Session) -> int:
    return session.scalar(_NEWEST) or 0


def heights(session: Session) -> tuple[int, int]:
    """Two numbers of which one grows whenever there is something new: the newest feed id, and log lines in all."""
    num_lines = select(func.sum(AttemptRow.ingested_line)).scalar_subquery()
    newest, lines = session.execute(select(func.max(EventRow.id), num_lines)).one()
    return newest or 0, lines or 0


def events_after(session: Session, event_id: int, limit: int, job_ids: frozenset[str]) -> Sequence[EventRow]:
    """In order. An empty `job_ids` means every job."""
    query = select(EventRow).where(EventRow.id > event_id).order_by(EventRow.id).limit(limit)
    return session.scalars(query.where(EventRow.job_id.in_(job_ids)) if job_ids else query).all()


def has_lost_any_after(session: Session, event_id: int, job_ids: frozenset[str]) -> bool:
    """Whether the compactor has taken away events that come after `event_id`."""
    query = select(MetricChunkRow.id).where(MetricChunkRow.last_event_id > event_id).limit(1)
    query = query.where(MetricChunkRow.job_id.in_(job_ids)) if job_ids else query
    return session.scalar(query) is not None


def log_positions(session: Session, ended_since: float) -> dict[tuple[str, int], int]:
    """Number of the last log line of each attempt that runs, or has ended since then."""
    is_recent = or_(AttemptRow.ended_at.is_(None), AttemptRow.ended_at >= ended_since)
    query = select(AttemptRow.job_id, AttemptRow.number, AttemptRow.ingested_line).where(is_recent)
    return {(job_id, number): line for job_id, number, line in session.execute(query)}
