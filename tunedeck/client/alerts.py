"""The calls of REST about alerts, as `client.alerts`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from pydantic import BaseModel

from tunedeck.alerts import AlertRule, AlertView, Channel, ChannelView, DeliveryView, RuleView
from tunedeck.views.page import Page


class AlertCalls:
    """`call` sends a method and a path, and reads the answer as a view."""

    def __init__(self, call: Callable[..., Any]) -> None:
        self._call = call

    def all(self, *, job: str = "", only_open: bool = False) -> tuple[AlertView, ...]:
        """The newest first."""
        asked = {"job": job, "open": only_open}
        found: Page[AlertView] = self._call("GET", "/alerts", Page[AlertView], params=asked)
        return found.items

    def rules(self) -> tuple[RuleView, ...]:
        found: Page[RuleView] = self._call("GET", "/alerts/rules", Page[RuleView])
        return found.items

    def add_rule(self, rule: AlertRule) -> RuleView:
        made: RuleView = self._call("POST", "/alerts/rules", RuleView, **_body(rule))
        return made

    def remove_rule(self, rule_id: str) -> RuleView:
        removed: RuleView = self._call("DELETE", f"/alerts/rules/{_part(rule_id)}", RuleView)
        return removed

    def channels(self) -> tuple[ChannelView, ...]:
        found: Page[ChannelView] = self._call("GET", "/alerts/channels", Page[ChannelView])
        return found.items

    def add_channel(self, channel: Channel) -> ChannelView:
        """Its `secret` is the key of a webhook's signature where one was made: shown this once."""
        made: ChannelView = self._call("POST", "/alerts/channels", ChannelView, **_body(channel))
        return made

    def remove_channel(self, channel_id: str) -> ChannelView:
        removed: ChannelView = self._call("DELETE", f"/alerts/channels/{_part(channel_id)}", ChannelView)
        return removed

    def send_test(self, channel_id: str) -> DeliveryView:
        sent: DeliveryView = self._call("POST", f"/alerts/channels/{_part(channel_id)}/test", DeliveryView)
        return sent

    def deliveries(self) -> tuple[DeliveryView, ...]:
        """The newest first."""
        found: Page[DeliveryView] = self._call("GET", "/alerts/deliveries", Page[DeliveryView])
        return found.items

    def resend(self, delivery_id: str) -> DeliveryView:
        sent: DeliveryView = self._call("POST", f"/alerts/deliveries/{_part(delivery_id)}/resend", DeliveryView)
        return sent


def _body(model: BaseModel) -> dict[str, Any]:
    return {"content": model.model_dump_json(), "headers": {"Content-Type": "application/json"}}


def _part(name: str) -> str:
    return quote(name, safe="")
