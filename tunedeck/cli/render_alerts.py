"""Alerts, rules, channels and deliveries as tables."""

from __future__ import annotations

from collections.abc import Sequence

from tunedeck.alerts import AlertView, ChannelView, DeliveryView, RuleView, WhenCondition, WhenMetric, WhenState
from tunedeck.cli.render import clock, columns, console


def print_alerts(alerts: Sequence[AlertView]) -> None:
    table = columns("opened", "resolved", "job", "what")
    for alert in alerts:
        resolved = "–" if alert.resolved_at is None else clock(alert.resolved_at)
        table.add_row(clock(alert.opened_at), resolved, alert.job_id, alert.text)
    console().print(table if alerts else "no alerts")


def print_rules(rules: Sequence[RuleView]) -> None:
    table = columns("id", "name", "when", "runs", "state")
    for rule in rules:
        scope = ", ".join(f"{name} {value}" for name, value in rule.scope if value) or "all"
        table.add_row(rule.id, rule.name, _when(rule.when), scope, "on" if rule.enabled else "off")
    console().print(table if rules else "no rules")


def print_channels(channels: Sequence[ChannelView]) -> None:
    table = columns("id", "name", "kind", "where", "state")
    for channel in channels:
        table.add_row(channel.id, channel.name, channel.kind, channel.where, "on" if channel.enabled else "off")
    console().print(table if channels else "no channels: alerts go nowhere")


def print_deliveries(deliveries: Sequence[DeliveryView]) -> None:
    table = columns("id", "written", "channel", "outcome", "tries", "message")
    for each in deliveries:
        outcome = each.state.replace("_", " ") + (f": {each.last_error}" if each.last_error else "")
        table.add_row(each.id, clock(each.created_at), each.channel, outcome, str(each.num_tries), each.text)
    console().print(table if deliveries else "nothing was sent")


def _when(when: WhenState | WhenCondition | WhenMetric) -> str:
    match when:
        case WhenState():
            return f"it is {when.state}"
        case WhenCondition():
            return when.code
        case WhenMetric():
            sign = ">" if when.comparison == "above" else "<"
            return f"{when.metric} {sign} {when.threshold:g} for {when.steps} points, {when.seconds:g} s"
