"""Metrics once they are too old to change."""

from __future__ import annotations

from sqlalchemy import BigInteger, ForeignKey, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from backend.db.tables.base import Base, FeedId


class MetricChunkRow(Base):
    """Up to 1,000 finished points of one metric: int64 steps, float64 times and values, little-endian.

    `last_event_id` is the newest feed id among the rows that it replaced: who has seen less cannot be replayed to.
    """

    __tablename__ = "metric_chunks"
    id: Mapped[int] = mapped_column(FeedId, primary_key=True, autoincrement=True)
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"))
    attempt: Mapped[int]
    metric: Mapped[str] = mapped_column(String(80))
    first_step: Mapped[int]
    last_step: Mapped[int]
    last_event_id: Mapped[int] = mapped_column(BigInteger, index=True)
    num_points: Mapped[int]
    minimum: Mapped[float | None]
    maximum: Mapped[float | None]
    steps: Mapped[bytes] = mapped_column(LargeBinary)
    times: Mapped[bytes] = mapped_column(LargeBinary)
    values: Mapped[bytes] = mapped_column(LargeBinary)
    __table_args__ = (UniqueConstraint("job_id", "metric", "attempt", "first_step"),)


class MetricOutlineRow(Base):
    """A tenth of a chunk's points (backend/metrics/outlines.py): float64 [P, 3], step, time and value of each."""

    __tablename__ = "metric_outlines"
    chunk_id: Mapped[int] = mapped_column(
        ForeignKey("metric_chunks.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    points: Mapped[bytes] = mapped_column(LargeBinary)
