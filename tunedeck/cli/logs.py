"""`tunedeck logs`."""

from __future__ import annotations

from contextlib import suppress
from typing import Annotated

import typer

from tunedeck.cli.options import DataDirOption, JobArgument, TokenOption, UrlOption, open_client


def logs(
    job_id: JobArgument,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the job has ended.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=1, help="How many of the last lines.")] = 100,
    url: UrlOption = "",
    token: TokenOption = "",
    data_dir: DataDirOption = None,
) -> None:
    """Print the log of a job's newest attempt."""
    from tunedeck.client.follow import follow_log

    with open_client(url, token, data_dir) as client:
        if not follow:
            for line in client.logs(job_id, first_line=-lines, limit=lines).lines:
                typer.echo(line)
            return
        with suppress(KeyboardInterrupt):  # the usual way to end it
            for line in follow_log(client, job_id, lines):
                typer.echo(line)
