"""SQL of one job's history."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from backend.db.tables.events import EventRow


def events_after(session: Session, job_id: str, event_id: int, kinds: frozenset[str], limit: int) -> Sequence[EventRow]:
    """Oldest first. An empty `kinds` means every kind."""
    query = select(EventRow).where(EventRow.job_id == job_id, EventRow.id > event_id)
    query = query.where(EventRow.kind.in_(kinds)) if kinds else query
    return session.scalars(query.order_by(EventRow.id).limit(limit)).all()
