"""Who does what only one backend may do."""

from __future__ import annotations

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from backend.db.tables.base import Base


class LeaderRow(Base):
    """Which backend process runs the scheduler and ingest: whoever holds an unexpired row."""

    __tablename__ = "leaders"
    role: Mapped[str] = mapped_column(String(32), primary_key=True)
    holder: Mapped[str] = mapped_column(String(64))
    expires_at: Mapped[float]
