"""What a run wrote on disk, as far as the service knows it."""

from __future__ import annotations

from sqlalchemy import BigInteger, ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from backend.db.tables.base import Base


class LogChunkRow(Base):
    """Consecutive lines of engine.log, joined by newlines."""

    __tablename__ = "log_chunks"
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    attempt: Mapped[int] = mapped_column(primary_key=True)
    first_line: Mapped[int] = mapped_column(primary_key=True)
    num_lines: Mapped[int]
    text: Mapped[str] = mapped_column(Text)


class CheckpointRow(Base):
    """A checkpoint or export that is complete on disk. `path` is absolute."""

    __tablename__ = "checkpoints"
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    attempt: Mapped[int] = mapped_column(primary_key=True)
    path: Mapped[str] = mapped_column(String(4096), primary_key=True)
    step: Mapped[int]
    format: Mapped[str] = mapped_column(String(24))
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[float]
