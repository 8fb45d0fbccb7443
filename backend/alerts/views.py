"""Rows of alerts as REST sends them out, without their secrets."""

from __future__ import annotations

from urllib.parse import urlsplit

from backend.db.tables.alerts import AlertChannelRow, AlertRow, AlertRuleRow, DeliveryRow
from tunedeck.alerts import AlertView, ChannelView, DeliveryView, RuleView


def channel_view(row: AlertChannelRow, made_key: str = "") -> ChannelView:
    """`made_key`: the key of the signature, where it has just been made and nobody else knows it."""
    return ChannelView(
        id=row.id,
        name=row.name,
        kind="webhook" if row.kind == "webhook" else "email",
        enabled=row.enabled,
        where=_where(row),
        created_at=row.created_at,
        secret=made_key,
    )


def _where(row: AlertChannelRow) -> str:
    """The path of a webhook is often the secret of its receiver."""
    if row.kind == "webhook":
        parts = urlsplit(str(row.secret["url"]))
        return f"{parts.scheme}://{parts.netloc}/…"
    return f"{', '.join(row.config['recipients'])} by {row.config['host']}:{row.config['port']}"


def rule_view(row: AlertRuleRow) -> RuleView:
    given = {"id": row.id, "name": row.name, "enabled": row.enabled, "when": row.when, "scope": row.scope}
    return RuleView.model_validate({**given, "channels": row.channels})


def alert_view(row: AlertRow, rule: str, job: str) -> AlertView:
    return AlertView(
        id=row.id,
        rule_id=row.rule_id,
        rule=rule,
        job_id=row.job_id,
        job_name=job,
        text=row.text,
        step=row.step,
        opened_at=row.opened_at,
        resolved_at=row.resolved_at,
    )


def delivery_view(row: DeliveryRow, channel: str) -> DeliveryView:
    state = "delivered" if row.delivered_at else "waiting" if row.next_try_at else "given_up"
    return DeliveryView.model_validate(
        {
            "id": row.id,
            "channel_id": row.channel_id,
            "channel": channel,
            "event": row.event,
            "text": row.message["alert"]["text"],
            "state": state,
            "num_tries": row.num_tries,
            "created_at": row.created_at,
            "next_try_at": row.next_try_at,
            "delivered_at": row.delivered_at,
            "last_error": row.last_error,
        }
    )
