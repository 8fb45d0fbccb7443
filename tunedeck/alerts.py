"""What REST takes and gives about alerts: rules, the channels that they go to, what is wrong now, what was delivered.

A secret (key of a signature, password, path of a webhook) is taken and never given: a view says where a channel goes to
by its host alone.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from tunedeck.component import Component
from tunedeck.spec import Name
from tunedeck.views.conditions import ConditionCode

AlertState = Literal["running", "paused", "succeeded", "failed", "cancelled"]
# No line breaks: these stand in the header of a mail.
Line = Annotated[str, Field(pattern=r"^[^\r\n\x00]*$", max_length=200)]
Host = Annotated[str, Field(pattern=r"^[A-Za-z0-9.:_-]{1,253}$")]
Address = Annotated[str, Field(pattern=r"^[^\s@<>,;:\"\\]{1,64}@[A-Za-z0-9.-]{1,190}$")]


class WhenState(Component):
    """A job has come to a state. Such an alert is over as soon as it is told."""

    kind: Literal["state"] = "state"
    state: AlertState


class WhenCondition(Component):
    """Something is wrong with a run (backend/health/rules.py); over when it no longer is."""

    kind: Literal["condition"] = "condition"
    code: ConditionCode


class WhenMetric(Component):
    """A metric is above or below a threshold in so many of its points in a row, and for so long; over when it was not
    in as many points, at least ten."""

    kind: Literal["metric"] = "metric"
    metric: str = Field(max_length=80, description="a name of the catalogue, as in the metrics of a job")
    comparison: Literal["above", "below"]
    threshold: float
    steps: int = Field(1, ge=1, le=100_000)
    seconds: float = Field(0.0, ge=0, le=7 * 86400)


When = Annotated[WhenState | WhenCondition | WhenMetric, Field(discriminator="kind")]


class AlertScope(Component):
    """Which jobs a rule is about: those that fit all that is given; nothing given: all jobs."""

    job: str = Field("", max_length=32, description="an id")
    name: str = Field("", max_length=80, description="of jobs; * and ? stand for any letters")
    tag: str = Field("", max_length=80)


class AlertRule(Component):
    """`channels`: ids; none: every channel."""

    name: Line = Field(min_length=1)
    enabled: bool = True
    when: When
    scope: AlertScope = AlertScope()
    channels: tuple[str, ...] = Field((), max_length=20)


class RuleView(AlertRule):
    id: str


class Webhook(Component):
    """JSON by POST, signed (docs/alerts.md). Without a `secret` one is made and shown once; in a change, the old one
    stays."""

    kind: Literal["webhook"] = "webhook"
    url: str = Field("", max_length=2000, description='http or https; "" in a change: the old one stays')
    secret: str = Field("", max_length=200, description="key of the signature, at least 16 characters")


class Email(Component):
    """`password` is for `username`; "" in a change: the old one stays."""

    kind: Literal["email"] = "email"
    host: Host
    port: int = Field(587, ge=1, le=65535)
    security: Literal["starttls", "tls", "none"] = "starttls"
    username: Line = ""
    password: str = Field("", max_length=500)
    sender: Address
    recipients: tuple[Address, ...] = Field(min_length=1, max_length=50)


class Channel(Component):
    name: Name
    enabled: bool = True
    to: Annotated[Webhook | Email, Field(discriminator="kind")]


class ChannelView(Component):
    """`where` names the host of a webhook, or the recipients. `secret` only where it has just been made."""

    id: str
    name: str
    kind: Literal["webhook", "email"]
    enabled: bool
    where: str
    created_at: float
    secret: str = ""


class AlertView(Component):
    """`resolved_at` None: it is open. A rule has at most one open alert for each job."""

    id: str
    rule_id: str
    rule: str
    job_id: str
    job_name: str
    text: str
    step: int
    opened_at: float
    resolved_at: float | None


class DeliveryView(Component):
    """`next_try_at` None: delivered, or given up after a day of tries."""

    id: str
    channel_id: str
    channel: str
    event: Literal["opened", "resolved", "test"]
    text: str
    state: Literal["waiting", "delivered", "given_up"]
    num_tries: int
    created_at: float
    next_try_at: float | None
    delivered_at: float | None
    last_error: str
