"""INSERT … ON CONFLICT, which SQLAlchemy has for each database but not for all of them at once."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session


def insert_new(session: Session, table: Table, rows: list[dict[str, Any]]) -> None:
    """Insert `rows`, leaving out those that clash with one that is there. All must have the same keys."""
    if not rows:
        return
    if session.get_bind().dialect.name == "postgresql":
        session.execute(postgresql.insert(table).on_conflict_do_nothing(), rows)
    else:
        session.execute(sqlite.insert(table).on_conflict_do_nothing(), rows)
