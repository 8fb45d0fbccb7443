"""Machines, and devices of theirs that are not trusted."""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from backend.db.tables.base import Base


class HostRow(Base):
    """A machine with a worker on it, as its last hello described it. While `drained_at` is set it gets no new jobs."""

    __tablename__ = "hosts"
    name: Mapped[str] = mapped_column(String(255), primary_key=True)
    facts: Mapped[dict[str, Any]] = mapped_column(JSON)
    num_devices: Mapped[int]
    last_seen_at: Mapped[float]
    drained_at: Mapped[float | None]
    drained_by: Mapped[str] = mapped_column(String(80), default="", server_default="")
    drained_why: Mapped[str] = mapped_column(Text, default="", server_default="")


class SetAsideRow(Base):
    """A GPU that had errors, and gets no new jobs until somebody has released it.

    The numbers are those of the last hello: once it is released, only a greater one sets it aside again.
    """

    __tablename__ = "set_aside_devices"
    host: Mapped[str] = mapped_column(ForeignKey("hosts.name", ondelete="CASCADE"), primary_key=True)
    device_index: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    why: Mapped[str] = mapped_column(Text)
    num_ecc_errors: Mapped[int] = mapped_column(BigInteger)
    num_xid_errors: Mapped[int] = mapped_column(BigInteger)
    set_aside_at: Mapped[float]
    released_at: Mapped[float | None]
    released_by: Mapped[str] = mapped_column(String(80), default="")
