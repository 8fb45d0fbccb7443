"""The feed."""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from backend.db.tables.base import Base, FeedId


class EventRow(Base):
    """The feed: engine events as they came, and `job` events of our own (their `seq` is None). `id` only grows."""

    __tablename__ = "events"
    id: Mapped[int] = mapped_column(FeedId, primary_key=True, autoincrement=True)
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"))
    attempt: Mapped[int]
    seq: Mapped[int | None]
    kind: Mapped[str] = mapped_column(String(24))
    step: Mapped[int | None]
    t: Mapped[float]
    payload: Mapped[dict[str, Any]] = mapped_column(JSON)
    __table_args__ = (
        UniqueConstraint("job_id", "attempt", "seq"),
        Index("ix_events_job_id_kind_id", "job_id", "kind", "id"),
        {"sqlite_autoincrement": True},
    )
