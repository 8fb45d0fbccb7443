"""`tunedeck`: the list of commands, and the one place where an error becomes sentences and an exit code."""

from __future__ import annotations

import typer
from typer.core import TyperGroup

import tunedeck
from tunedeck.cli import (
    actions,
    alerts,
    artifacts,
    data,
    data_cache,
    data_files,
    data_tokens,
    doctor,
    hosts,
    jobs,
    logs,
    models,
    notes,
    report,
    serve,
    submit,
)
from tunedeck.cli.faults import print_fault
from tunedeck.errors import TunedeckError


class Commands(TyperGroup):
    """Exit code 1 for an error of errors.py, 2 for wrong usage (typer's own), a traceback only for a fault of ours."""

    def invoke(self, ctx: typer.Context) -> object:  # type: ignore[override]  # typer ships its own copy of click
        try:
            return super().invoke(ctx)
        except TunedeckError as error:
            print_fault(error)
            raise typer.Exit(1) from None


app = typer.Typer(
    name="tunedeck",
    cls=Commands,
    help="Supervised fine-tuning of language models with Megatron-core.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(serve.up)
app.command()(serve.demo)
app.command()(serve.worker)
app.command()(submit.submit)
app.command()(submit.clone)
app.command("ls")(jobs.list_jobs)
app.command()(jobs.show)
app.command()(logs.logs)
app.command()(artifacts.artifacts)
app.command()(report.report)
app.command()(actions.cancel)
app.command()(actions.pause)
app.command()(actions.resume)
app.command()(actions.retry)
app.command()(actions.hold)
app.command()(actions.release)
app.command()(actions.reprioritise)
app.command()(actions.archive)
app.command()(actions.unarchive)
app.command()(actions.tag)
app.command()(notes.notes)
app.command("queue")(hosts.show_queue)
app.add_typer(hosts.hosts, name="hosts")
app.add_typer(alerts.alerts, name="alerts")
app.command("doctor")(doctor.doctor)
app.add_typer(models.models, name="models")
data.data.command()(data_files.inspect)
data.data.command()(data_files.convert)
data.data.command()(data_tokens.tokens)
data.data.add_typer(data_cache.cache, name="cache")
app.add_typer(data.data, name="data")


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(tunedeck.__version__)
