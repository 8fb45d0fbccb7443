"""`tunedeck alerts`: what is wrong now, the rules, where alerts go, and what became of each message."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from tunedeck.alerts import AlertRule, AlertScope, Channel, Email, Webhook, WhenCondition, WhenMetric, WhenState
from tunedeck.cli.options import DataDirOption, JsonOption, TokenOption, UrlOption, open_client, print_json
from tunedeck.cli.refusing import refusing

alerts = typer.Typer(help="Alerts: rules, where they go, what was told.", no_args_is_help=True)
NameArgument = Annotated[str, typer.Argument(help="The name of the new channel.")]
ChannelArgument = Annotated[str, typer.Argument(help="The id of the channel, as `tunedeck alerts channels` shows it.")]


@alerts.command("ls")
def list_alerts(
    only_open: Annotated[bool, typer.Option("--open", help="Only those that are not resolved.")] = False,
    job: Annotated[str, typer.Option(help="Only those of this job, by its id.")] = "",
    as_json: JsonOption = False,
    url: UrlOption = "",
    token: TokenOption = "",
    data_dir: DataDirOption = None,
) -> None:
    """List alerts, the newest first."""
    from tunedeck.cli.render_alerts import print_alerts

    with open_client(url, token, data_dir) as client:
        found = client.alerts.all(job=job, only_open=only_open)
    (print_json if as_json else print_alerts)(found)


@alerts.command("rules")
def list_rules(
    as_json: JsonOption = False, url: UrlOption = "", token: TokenOption = "", data_dir: DataDirOption = None
) -> None:
    """List the rules."""
    from tunedeck.cli.render_alerts import print_rules

    with open_client(url, token, data_dir) as client:
        found = client.alerts.rules()
    (print_json if as_json else print_rules)(found)


@alerts.command("add-rule")
def add_rule(
    name: Annotated[str, typer.Argument(help="What the alert is called.")],
    when: Annotated[
        str,
        typer.Argument(help="A state (failed), something wrong (loss_spike), or a comparison (temperature_c>85)."),
    ],
    steps: Annotated[int, typer.Option(min=1, help="So many points in a row, of a comparison.")] = 1,
    seconds: Annotated[float, typer.Option(min=0, help="And for so long.")] = 0.0,
    runs: Annotated[str, typer.Option(help="Only of runs of this name; * and ? stand for any letters.")] = "",
    tag: Annotated[str, typer.Option(help="Only of runs with this tag.")] = "",
    job: Annotated[str, typer.Option(help="Only of the run with this id.")] = "",
    url: UrlOption = "",
    token: TokenOption = "",
    data_dir: DataDirOption = None,
) -> None:
    """Add a rule, which goes to every channel."""
    mend = "a state (failed), something wrong (loss_spike), or a comparison (temperature_c>85)"
    with refusing("part of a rule", mend):
        rule = AlertRule(name=name, when=_when(when, steps, seconds), scope=AlertScope(name=runs, tag=tag, job=job))
    with open_client(url, token, data_dir) as client:
        typer.echo(client.alerts.add_rule(rule).id)


@alerts.command("rm-rule")
def remove_rule(
    rule_id: Annotated[str, typer.Argument(help="As `tunedeck alerts rules` shows it.")],
    url: UrlOption = "",
    token: TokenOption = "",
    data_dir: DataDirOption = None,
) -> None:
    """Remove a rule and its alerts."""
    with open_client(url, token, data_dir) as client:
        typer.echo(f"{client.alerts.remove_rule(rule_id).name} is removed")


@alerts.command("channels")
def list_channels(
    as_json: JsonOption = False, url: UrlOption = "", token: TokenOption = "", data_dir: DataDirOption = None
) -> None:
    """List where alerts go."""
    from tunedeck.cli.render_alerts import print_channels

    with open_client(url, token, data_dir) as client:
        found = client.alerts.channels()
    (print_json if as_json else print_channels)(found)


@alerts.command("add-webhook")
def add_webhook(
    name: NameArgument,
    address: Annotated[str, typer.Option(prompt=True, hide_input=True, help="Where to; asked for if left out.")],
    url: UrlOption = "",
    token: TokenOption = "",
    data_dir: DataDirOption = None,
) -> None:
    """Add a webhook; prints the key of its signature, which is shown this once."""
    with refusing("part of a webhook", "a short name, and an address of up to 2,000 characters"):
        channel = Channel(name=name, to=Webhook(url=address))
    with open_client(url, token, data_dir) as client:
        typer.echo(client.alerts.add_channel(channel).secret)


@alerts.command("add-email")
def add_email(
    name: NameArgument,
    host: Annotated[str, typer.Option(help="The mail server.")],
    sender: Annotated[str, typer.Option(help="From whom.")],
    to: Annotated[list[str], typer.Option(help="To whom; may repeat.")],
    port: Annotated[int, typer.Option(min=1, max=65535)] = 587,
    security: Annotated[Literal["starttls", "tls", "none"], typer.Option()] = "starttls",
    username: Annotated[str, typer.Option(help="Of the login; the password is asked for.")] = "",
    url: UrlOption = "",
    token: TokenOption = "",
    data_dir: DataDirOption = None,
) -> None:
    """Add e-mail."""
    password = typer.prompt("password", hide_input=True) if username else ""
    given = {"host": host, "port": port, "security": security, "username": username, "password": password}
    mend = "addresses as name@example.org, and the host of the mail server without its port"
    with refusing("part of a mail channel", mend):
        channel = Channel(name=name, to=Email.model_validate(given | {"sender": sender, "recipients": to}))
    with open_client(url, token, data_dir) as client:
        typer.echo(client.alerts.add_channel(channel).id)


@alerts.command("rm-channel")
def remove_channel(
    channel_id: ChannelArgument, url: UrlOption = "", token: TokenOption = "", data_dir: DataDirOption = None
) -> None:
    """Remove a channel and what waits for it."""
    with open_client(url, token, data_dir) as client:
        typer.echo(f"{client.alerts.remove_channel(channel_id).name} is removed")


@alerts.command("test")
def send_test(
    channel_id: ChannelArgument, url: UrlOption = "", token: TokenOption = "", data_dir: DataDirOption = None
) -> None:
    """Send a message that says only that it has arrived."""
    with open_client(url, token, data_dir) as client:
        typer.echo(client.alerts.send_test(channel_id).id)


@alerts.command("deliveries")
def list_deliveries(
    as_json: JsonOption = False, url: UrlOption = "", token: TokenOption = "", data_dir: DataDirOption = None
) -> None:
    """List what was sent, and what became of it, the newest first."""
    from tunedeck.cli.render_alerts import print_deliveries

    with open_client(url, token, data_dir) as client:
        found = client.alerts.deliveries()
    (print_json if as_json else print_deliveries)(found)


@alerts.command("resend")
def resend(
    delivery_id: Annotated[str, typer.Argument(help="As `tunedeck alerts deliveries` shows it.")],
    url: UrlOption = "",
    token: TokenOption = "",
    data_dir: DataDirOption = None,
) -> None:
    """Deliver a message again, under the same id."""
    with open_client(url, token, data_dir) as client:
        typer.echo(client.alerts.resend(delivery_id).state)


def _when(text: str, steps: int, seconds: float) -> WhenState | WhenCondition | WhenMetric:
    """What cannot be meant is refused by the models, with the values that can."""
    for sign, comparison in ((">", "above"), ("<", "below")):
        metric, found, threshold = text.partition(sign)
        if found:
            given = {"metric": metric.strip(), "comparison": comparison, "threshold": threshold.strip()}
            return WhenMetric.model_validate(given | {"steps": steps, "seconds": seconds})
    states = WhenState.model_fields["state"].annotation
    if text in getattr(states, "__args__", ()):
        return WhenState.model_validate({"state": text})
    return WhenCondition.model_validate({"code": text})
