"""Data sets, their versions, and what was worked out about them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from backend.db.tables.base import Base


class DatasetRow(Base):
    """The name of a data set, kept for it also while it lies in the trash (`trashed_at`)."""

    __tablename__ = "datasets"
    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    owner: Mapped[str] = mapped_column(String(80), server_default="first")
    name: Mapped[str] = mapped_column(String(80))
    newest_version: Mapped[int] = mapped_column(server_default="1")
    created_at: Mapped[float]
    trashed_at: Mapped[float | None] = mapped_column(index=True)
    __table_args__ = (UniqueConstraint("owner", "name"),)


class DatasetVersionRow(Base):
    """One state of a data set: a file, how it is read, and what was found in it. A row is never changed.

    `source` is path, upload or hub, and `origin` what the user named it by; files of uploads and of the hub are ours.
    """

    __tablename__ = "dataset_versions"
    dataset_id: Mapped[str] = mapped_column(ForeignKey("datasets.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    source: Mapped[str] = mapped_column(String(16))
    origin: Mapped[str] = mapped_column(Text)
    path: Mapped[str] = mapped_column(Text)
    reading: Mapped[dict[str, Any]] = mapped_column(JSON)
    report: Mapped[dict[str, Any]] = mapped_column(JSON)
    created_at: Mapped[float]


class DatasetStatisticsRow(Base):
    """Lengths and packing of one version under one model, mask and layout: `key` is the SHA-256 of what was asked."""

    __tablename__ = "dataset_statistics"
    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    dataset_id: Mapped[str] = mapped_column(ForeignKey("datasets.id", ondelete="CASCADE"), index=True)
    statistics: Mapped[dict[str, Any]] = mapped_column(JSON)
    created_at: Mapped[float]
