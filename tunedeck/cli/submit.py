"""`tunedeck submit` and `clone`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tunedeck.cli.options import DataDirOption, JobArgument, TokenOption, UrlOption, open_client

if TYPE_CHECKING:
    from tunedeck.client import Client

DraftOption = Annotated[bool, typer.Option("--draft", help="Store it; `tunedeck release ID` lets it into the queue.")]


def submit(
    spec: Annotated[Path, typer.Argument(help="A job spec as YAML or JSON.")],
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="FIELD=VALUE", help="Lay a value over the file; may repeat.")
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", help="Show its progress until it has ended.")] = False,
    draft: DraftOption = False,
    url: UrlOption = "",
    token: TokenOption = "",
    data_dir: DataDirOption = None,
) -> None:
    """Submit a job and print its id. With --follow the exit code is 0 only if the job succeeds."""
    from tunedeck.cli.spec_file import read_spec

    asked = read_spec(spec, set_ or ())
    with open_client(url, token, data_dir) as client:
        job = client.submit(asked, draft=draft)
        typer.echo(job.id)
        typer.echo(f"{client.url}/runs/{job.id}", err=True)
        if follow and not _succeeds(client, job.id):
            raise typer.Exit(1)


def clone(
    job_id: JobArgument,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="FIELD=VALUE", help="Lay a value over the spec; may repeat.")
    ] = None,
    draft: DraftOption = False,
    url: UrlOption = "",
    token: TokenOption = "",
    data_dir: DataDirOption = None,
) -> None:
    """Submit the spec of a job again, from the beginning, and print the id of the new job."""
    from tunedeck.cli.spec_file import lay_over

    changes = lay_over({}, set_ or ())
    with open_client(url, token, data_dir) as client:
        job = client.clone(job_id, changes, draft=draft)
        typer.echo(job.id)
        typer.echo(f"{client.url}/runs/{job.id}", err=True)


def _succeeds(client: Client, job_id: str) -> bool:
    """Ctrl-C ends the watching, not the job."""
    from tunedeck.cli.progress import shown_progress
    from tunedeck.client.follow import follow_job
    from tunedeck.lifecycle import JobState

    with shown_progress() as shown:
        for job, _ in follow_job(client, job_id):
            shown.update(job)
    if job.fault is not None:
        typer.echo(f"{job.fault.message}\nWhat to do: {job.fault.mend}", err=True)
    return job.state is JobState.SUCCEEDED
