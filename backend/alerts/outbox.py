"""What becomes of deliveries that nobody sends: those of a channel that is switched off are given up, and all are kept
for a month, so that it can be seen what was told."""

from __future__ import annotations

from sqlalchemy import delete, update
from sqlalchemy.orm import Session

from backend.db.database import Database
from backend.db.tables.alerts import DeliveryRow

KEPT_S = 30 * 24 * 3600.0
# The one event that a channel gets that is switched off: somebody has just asked for it.
TEST = "test"


def give_up(session: Session, channel_id: str) -> None:
    """What waits for a channel that is switched off, but for tests."""
    waiting = update(DeliveryRow).where(DeliveryRow.channel_id == channel_id, DeliveryRow.next_try_at.is_not(None))
    given_up = {"next_try_at": None, "last_error": "the channel was switched off"}
    session.execute(waiting.where(DeliveryRow.event != TEST).values(given_up))


def purge(database: Database, before: float) -> None:
    """Remove what was written before that unix time and is not under way."""
    with database.writing() as session:
        old = delete(DeliveryRow).where(DeliveryRow.created_at < before, DeliveryRow.next_try_at.is_(None))
        session.execute(old)
