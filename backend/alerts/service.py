"""Rules and channels as they are set, alerts and deliveries as they are looked at."""

from __future__ import annotations

import secrets
from typing import Any, TypeVar
from urllib.parse import urlsplit

from sqlalchemy.orm import Session

from backend.alerts import outbox, queries
from backend.alerts.opening import add_delivery, close_all_of
from backend.alerts.outbox import TEST
from backend.alerts.views import alert_view, channel_view, delivery_view, rule_view
from backend.db.database import Database
from backend.db.tables.alerts import AlertChannelRow, AlertRuleRow, DeliveryRow
from backend.db.tables.base import Base
from backend.http.known_names import known_names
from tunedeck.alerts import (
    AlertRule,
    AlertScope,
    AlertView,
    Channel,
    ChannelView,
    DeliveryView,
    RuleView,
    Webhook,
    WhenMetric,
)
from tunedeck.errors import BadInput, Conflict, NotFound
from tunedeck.ids import new_id
from tunedeck.metrics import BY_NAME, catalogue_name
from tunedeck.views.page import Page

R = TypeVar("R", bound=Base)
LEAST_KEY = 16
MAX_RULES = 200


def alerts(database: Database, job_id: str, is_open: bool, limit: int) -> Page[AlertView]:
    with database.reading() as session:
        return Page[AlertView](
            items=tuple(alert_view(*found) for found in queries.alerts(session, job_id, is_open, limit))
        )


def deliveries(database: Database, limit: int) -> Page[DeliveryView]:
    with database.reading() as session:
        return Page[DeliveryView](items=tuple(delivery_view(*found) for found in queries.deliveries(session, limit)))


def rules(database: Database) -> Page[RuleView]:
    with database.reading() as session:
        return Page[RuleView](items=tuple(map(rule_view, queries.rules(session))))


def put_rule(database: Database, rule_id: str, wanted: AlertRule, now: float) -> RuleView:
    """Change a rule, or add one where `rule_id` is "". Raises BadInput for a metric or channel that there is not, and
    Conflict where there are MAX_RULES."""
    if isinstance(wanted.when, WhenMetric):
        known_names("when.metric", {catalogue_name(wanted.when.metric)}, BY_NAME.keys())
    with database.writing() as session:
        known_names("channels", set(wanted.channels), [row.id for row in queries.channels(session)])
        row = _found(session, AlertRuleRow, rule_id) if rule_id else _new_rule(session, now)
        meant = _meaning(row)
        row.name, row.enabled, row.channels = wanted.name, wanted.enabled, list(wanted.channels)
        row.when, row.scope = wanted.when.model_dump(mode="json"), wanted.scope.model_dump(mode="json")
        session.add(row)
        if rule_id and _meaning(row) != meant:
            close_all_of(session, row.id, now)
        return rule_view(row)


def _meaning(row: AlertRuleRow) -> tuple[object, ...]:
    """Of when and of whom it tells. The scope of the rules of the start is stored without its defaults."""
    return row.enabled, row.when, AlertScope().model_dump() | (row.scope or {})


def _new_rule(session: Session, now: float) -> AlertRuleRow:
    if len(queries.rules(session)) >= MAX_RULES:
        raise Conflict(f"there are {MAX_RULES} rules already", "remove one that nobody needs")
    return AlertRuleRow(id=new_id(), created_at=now)


def remove_rule(database: Database, rule_id: str) -> RuleView:
    """Its alerts go with it."""
    with database.writing() as session:
        row = _found(session, AlertRuleRow, rule_id)
        session.delete(row)
        return rule_view(row)


def channels(database: Database) -> Page[ChannelView]:
    with database.reading() as session:
        return Page[ChannelView](items=tuple(map(channel_view, queries.channels(session))))


def put_channel(database: Database, channel_id: str, wanted: Channel, now: float) -> ChannelView:
    """Change a channel, or add one where `channel_id` is "". What waits for one that is switched off is given up.
    Raises BadInput and Conflict."""
    with database.writing() as session:
        row = _found(session, AlertChannelRow, channel_id) if channel_id else None
        _refuse_taken_name(session, wanted.name, channel_id)
        kept = row.secret if row is not None and row.kind == wanted.to.kind else {}
        secret, made_key = _secret_of(wanted, kept)
        if row is None:
            row = AlertChannelRow(id=new_id(), created_at=now)
            session.add(row)
        row.name, row.kind, row.enabled = wanted.name, wanted.to.kind, wanted.enabled
        row.config = wanted.to.model_dump(mode="json", exclude={"url", "secret", "password"})
        row.secret = secret
        if not wanted.enabled:
            outbox.give_up(session, row.id)
        return channel_view(row, made_key)


def remove_channel(database: Database, channel_id: str) -> ChannelView:
    """What waits for it goes with it; rules that named it, and no other, go to no channel any more."""
    with database.writing() as session:
        row = _found(session, AlertChannelRow, channel_id)
        session.delete(row)
        return channel_view(row)


def send_test(database: Database, channel_id: str, who: str, now: float) -> DeliveryView:
    """Put a message into the outbox that says nothing but that it has arrived."""
    nothing = {"id": "", "name": "", "owner": "", "state": "", "step": 0, "train_iters": 0}
    text = f"A test, sent by {who}: alerts arrive here."
    alert = {"id": "", "rule": "", "text": text, "step": 0, "opened_at": now, "resolved_at": None}
    with database.writing() as session:
        row = _found(session, AlertChannelRow, channel_id)
        message = {"event": TEST, "alert": alert, "job": nothing}
        return delivery_view(add_delivery(session, row.id, TEST, message, now), row.name)


def resend(database: Database, delivery_id: str, now: float) -> DeliveryView:
    """Deliver it again, under the same id, from now on for another day. Raises Conflict where its channel is off."""
    with database.writing() as session:
        row = _found(session, DeliveryRow, delivery_id)
        channel = session.get_one(AlertChannelRow, row.channel_id)
        if not channel.enabled and row.event != TEST:
            raise Conflict(f"the channel {channel.name} is switched off", "switch it on first")
        row.created_at, row.next_try_at, row.delivered_at, row.num_tries = now, now, None, 0
        return delivery_view(row, channel.name)


def _secret_of(wanted: Channel, kept: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """What is stored, and the key where one was made."""
    if not isinstance(wanted.to, Webhook):
        return {"password": wanted.to.password or kept.get("password", "")}, ""
    url = wanted.to.url or kept.get("url", "")
    _refuse_unusable(url)
    if wanted.to.secret and len(wanted.to.secret) < LEAST_KEY:
        message = f"the key of the signature has {len(wanted.to.secret)} characters, fewer than {LEAST_KEY}"
        raise BadInput.at("to.secret", "", message, "use a longer one, or leave it out and one is made")
    made_key = "" if wanted.to.secret or kept.get("key") else secrets.token_urlsafe(32)
    return {"url": url, "key": wanted.to.secret or kept.get("key") or made_key}, made_key


def _refuse_unusable(url: str) -> None:
    mend = "give the whole address, as https://example.org/hook"
    try:
        parts = urlsplit(url)
        port_is_fine = parts.port is None or parts.port > 0
    except ValueError:
        raise BadInput.at("to.url", "", "the address of the webhook cannot be read", mend) from None
    if parts.scheme not in ("http", "https") or not parts.hostname or not port_is_fine or not url.isprintable():
        raise BadInput.at("to.url", "", "the address of the webhook is not one of http or https", mend)
    if parts.username or parts.password:
        raise BadInput.at("to.url", "", "the address of the webhook has a user name in it", "leave it out")


def _refuse_taken_name(session: Session, name: str, channel_id: str) -> None:
    other = queries.channel_named(session, name)
    if other is not None and other.id != channel_id:
        raise Conflict(f"there is a channel named {name} already", "use another name, or change that one")


def _found(session: Session, table: type[R], row_id: str) -> R:
    row = session.get(table, row_id)
    if row is None:
        what = {"alert_rules": "rule", "alert_channels": "channel", "deliveries": "delivery"}[table.__tablename__]
        raise NotFound(f"there is no {what} {row_id!r}", "GET the list that it should be in")
    return row
