"""`tunedeck ls` and `show`."""

from __future__ import annotations

import itertools
from typing import Annotated

import typer

from tunedeck.cli.options import DataDirOption, JobArgument, JsonOption, TokenOption, UrlOption, open_client, print_json
from tunedeck.lifecycle import JobState


def list_jobs(
    search: Annotated[
        list[str] | None,
        typer.Argument(metavar="[SEARCH]...", help="Only jobs that match: tag:baseline 'lr>1e-5' fp8; docs/search.md."),
    ] = None,
    state: Annotated[list[JobState] | None, typer.Option(help="Only jobs in this state; may repeat.")] = None,
    archived: Annotated[bool, typer.Option("--archived", help="Only jobs of the archive.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="At most so many, the newest first.")] = 20,
    as_json: JsonOption = False,
    url: UrlOption = "",
    token: TokenOption = "",
    data_dir: DataDirOption = None,
) -> None:
    """List jobs, the newest first. A term that begins with a minus comes after --."""
    from tunedeck.cli.render import print_jobs

    with open_client(url, token, data_dir) as client:
        found = client.jobs(
            state=state or (),
            q=" ".join(search or ()),
            archived="yes" if archived else "",
            limit=min(limit, 100),
        )
        jobs = list(itertools.islice(found, limit))
    if as_json:
        print_json(jobs)
        return
    print_jobs(jobs)


def show(
    job_id: JobArgument,
    as_json: JsonOption = False,
    url: UrlOption = "",
    token: TokenOption = "",
    data_dir: DataDirOption = None,
) -> None:
    """Show one job: state, progress, newest values, what went wrong, how it came here."""
    from tunedeck.cli.render import print_job

    with open_client(url, token, data_dir) as client:
        job = client.job(job_id)
    if as_json:
        typer.echo(job.model_dump_json(indent=2))
        return
    print_job(job)
