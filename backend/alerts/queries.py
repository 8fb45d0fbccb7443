"""SQL of alerts."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from backend.db.tables.alerts import AlertChannelRow, AlertRow, AlertRuleRow, DeliveryRow
from backend.db.tables.jobs import JobRow


def channels(session: Session) -> Sequence[AlertChannelRow]:
    return session.scalars(select(AlertChannelRow).order_by(AlertChannelRow.created_at)).all()


def channel_named(session: Session, name: str) -> AlertChannelRow | None:
    return session.scalars(select(AlertChannelRow).where(AlertChannelRow.name == name)).one_or_none()


def rules(session: Session) -> Sequence[AlertRuleRow]:
    return session.scalars(select(AlertRuleRow).order_by(AlertRuleRow.created_at, AlertRuleRow.id)).all()


def alerts(session: Session, job_id: str, is_open: bool, limit: int) -> list[tuple[AlertRow, str, str]]:
    """Newest first, each with the names of its rule and its job. `job_id` "": of all jobs."""
    query = (
        select(AlertRow, AlertRuleRow.name, JobRow.name)
        .join(AlertRuleRow, AlertRuleRow.id == AlertRow.rule_id)
        .join(JobRow, JobRow.id == AlertRow.job_id)
    )
    query = query.where(AlertRow.job_id == job_id) if job_id else query
    query = query.where(AlertRow.resolved_at.is_(None)) if is_open else query
    found = session.execute(query.order_by(AlertRow.opened_at.desc(), AlertRow.id.desc()).limit(limit))
    return [(alert, rule, job) for alert, rule, job in found]


def deliveries(session: Session, limit: int) -> list[tuple[DeliveryRow, str]]:
    """Newest first, each with the name of its channel."""
    query = select(DeliveryRow, AlertChannelRow.name).join(
        AlertChannelRow, AlertChannelRow.id == DeliveryRow.channel_id
    )
    found = session.execute(query.order_by(DeliveryRow.created_at.desc(), DeliveryRow.id.desc()).limit(limit))
    return [(delivery, channel) for delivery, channel in found]
