"""Alerts: what is watched for, whom it is told, and how far the telling is."""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, Text
from sqlalchemy import text as sql_text
from sqlalchemy.orm import Mapped, mapped_column

from backend.db.tables.base import Base


class AlertChannelRow(Base):
    """Where alerts go. `config` is what may be shown, `secret` what may not: a password, or a webhook's URL and key."""

    __tablename__ = "alert_channels"
    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    name: Mapped[str] = mapped_column(String(80), unique=True)
    kind: Mapped[str] = mapped_column(String(16))
    enabled: Mapped[bool]
    config: Mapped[dict[str, Any]] = mapped_column(JSON)
    secret: Mapped[dict[str, Any]] = mapped_column(JSON)
    created_at: Mapped[float]


class AlertRuleRow(Base):
    """`when`, `scope` and `channels` are those of AlertRule, as JSON."""

    __tablename__ = "alert_rules"
    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    enabled: Mapped[bool]
    when: Mapped[dict[str, Any]] = mapped_column(JSON)
    scope: Mapped[dict[str, Any]] = mapped_column(JSON)
    channels: Mapped[list[str]] = mapped_column(JSON)
    created_at: Mapped[float]


class AlertRow(Base):
    """A rule that was met by a job, until `resolved_at`. An index allows one open alert for each rule and job."""

    __tablename__ = "alerts"
    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    rule_id: Mapped[str] = mapped_column(ForeignKey("alert_rules.id", ondelete="CASCADE"))
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), index=True)
    text: Mapped[str] = mapped_column(Text)
    step: Mapped[int]
    opened_at: Mapped[float] = mapped_column(index=True)
    resolved_at: Mapped[float | None]
    __table_args__ = (
        Index(
            "uq_alerts_open",
            *("rule_id", "job_id"),
            unique=True,
            sqlite_where=sql_text("resolved_at IS NULL"),
            postgresql_where=sql_text("resolved_at IS NULL"),
        ),
    )


class DeliveryRow(Base):
    """The outbox: a message to one channel, written in the transaction of what it tells. Due at `next_try_at`; None:
    delivered, or given up."""

    __tablename__ = "deliveries"
    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    channel_id: Mapped[str] = mapped_column(ForeignKey("alert_channels.id", ondelete="CASCADE"), index=True)
    event: Mapped[str] = mapped_column(String(16))
    message: Mapped[dict[str, Any]] = mapped_column(JSON)
    created_at: Mapped[float] = mapped_column(index=True)
    num_tries: Mapped[int]
    next_try_at: Mapped[float | None] = mapped_column(index=True)
    delivered_at: Mapped[float | None]
    last_error: Mapped[str] = mapped_column(Text)
