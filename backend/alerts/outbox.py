"""Deliveries are kept for a month, so that it can be seen what was told; then they go, delivered or not."""

from __future__ import annotations

from sqlalchemy import delete

from backend.db.database import Database
from backend.db.tables import DeliveryRow

KEPT_S = 30 * 24 * 3600.0


def purge(database: Database, before: float) -> None:
    """Remove what was written before that unix time and is not under way."""
    with database.writing() as session:
        old = delete(DeliveryRow).where(DeliveryRow.created_at < before, DeliveryRow.next_try_at.is_(None))
        session.execute(old)
