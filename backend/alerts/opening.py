"""Opens and resolves alerts. Each leaves, in the caller's transaction, a line in the feed and a message for each
channel, so that a backend that dies afterwards has lost neither, and one that dies before has told nothing that did not
happen.

A rule has one open alert for each job until it is resolved: opening it again changes nothing.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session, load_only

from backend.db.tables.alerts import AlertChannelRow, AlertRow, AlertRuleRow, DeliveryRow
from backend.db.tables.events import EventRow
from backend.db.tables.jobs import JobRow
from tunedeck.ids import new_id
from tunedeck.lifecycle import HOLDS_DEVICES

KIND = "alert"


def open_alert(session: Session, rule: AlertRuleRow, job: JobRow, text: str, step: int, now: float) -> None:
    if _open_alert(session, rule.id, job.id) is None:
        _tell(session, "opened", rule, job, _add(session, rule, job, text, step, now, None), now)


def tell_once(session: Session, rule: AlertRuleRow, job: JobRow, text: str, now: float) -> None:
    """An alert about something that has happened and does not last: over at once."""
    _tell(session, "opened", rule, job, _add(session, rule, job, text, job.step, now, now), now)


def resolve(session: Session, rule: AlertRuleRow, job: JobRow, now: float) -> None:
    """Nothing where none is open."""
    alert = _open_alert(session, rule.id, job.id)
    if alert is not None:
        _resolve(session, rule, job, alert, now)


def resolve_all(session: Session, job: JobRow, lasting: Collection[str], now: float) -> None:
    """Every open alert of `job` but those of the conditions `lasting`; also of rules that are no longer about it."""
    found = select(AlertRow, AlertRuleRow).join(AlertRuleRow, AlertRuleRow.id == AlertRow.rule_id)
    found = found.where(AlertRow.job_id == job.id, AlertRow.resolved_at.is_(None))
    for alert, rule in session.execute(found).all():
        if rule.when.get("code") not in lasting:
            _resolve(session, rule, job, alert, now)


def close_all_of(session: Session, rule_id: str, now: float) -> None:
    """The rule means something else now: what it opened is over, which is told to nobody, and it counts anew."""
    was_open = update(AlertRow).where(AlertRow.rule_id == rule_id, AlertRow.resolved_at.is_(None))
    session.execute(was_open.values(resolved_at=now))
    live = select(JobRow).where(JobRow.state.in_(HOLDS_DEVICES)).options(load_only(JobRow.rule_alarms))
    for job in session.scalars(live):
        if rule_id in job.rule_alarms:
            job.rule_alarms = {key: alarm for key, alarm in job.rule_alarms.items() if key != rule_id}


def add_delivery(session: Session, channel_id: str, event: str, message: dict[str, Any], now: float) -> DeliveryRow:
    delivery = DeliveryRow(
        id=new_id(),
        channel_id=channel_id,
        event=event,
        message=message,
        created_at=now,
        num_tries=0,
        next_try_at=now,
        delivered_at=None,
        last_error="",
    )
    session.add(delivery)
    return delivery


def _add(
    session: Session, rule: AlertRuleRow, job: JobRow, text: str, step: int, now: float, resolved_at: float | None
) -> AlertRow:
    alert = AlertRow(
        id=new_id(), rule_id=rule.id, job_id=job.id, text=text, step=step, opened_at=now, resolved_at=resolved_at
    )
    session.add(alert)
    session.flush()
    return alert


def _resolve(session: Session, rule: AlertRuleRow, job: JobRow, alert: AlertRow, now: float) -> None:
    alert.resolved_at = now
    _tell(session, "resolved", rule, job, alert, now)


def _open_alert(session: Session, rule_id: str, job_id: str) -> AlertRow | None:
    query = select(AlertRow).where(AlertRow.rule_id == rule_id, AlertRow.job_id == job_id)
    return session.scalars(query.where(AlertRow.resolved_at.is_(None))).one_or_none()


def _tell(session: Session, event: str, rule: AlertRuleRow, job: JobRow, alert: AlertRow, now: float) -> None:
    message = _message(event, rule, job, alert)
    session.add(
        EventRow(job_id=job.id, attempt=job.attempt, seq=None, kind=KIND, step=alert.step, t=now, payload=message)
    )
    for channel_id in session.scalars(select(AlertChannelRow.id).where(AlertChannelRow.enabled)):
        if not rule.channels or channel_id in rule.channels:
            add_delivery(session, channel_id, event, message, now)


def _message(event: str, rule: AlertRuleRow, job: JobRow, alert: AlertRow) -> dict[str, Any]:
    return {
        "event": event,
        "alert": {
            "id": alert.id,
            "rule": rule.name,
            "text": alert.text,
            "step": alert.step,
            "opened_at": alert.opened_at,
            "resolved_at": alert.resolved_at,
        },
        "job": {
            "id": job.id,
            "name": job.name,
            "owner": job.owner,
            "state": job.state,
            "step": job.step,
            "train_iters": job.train_iters,
        },
    }
