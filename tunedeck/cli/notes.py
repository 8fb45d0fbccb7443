"""`tunedeck notes`: what people wrote about a job, read and changed."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from tunedeck.cli.options import DataDirOption, JobArgument, JsonOption, TokenOption, UrlOption, open_client
from tunedeck.cli.refusing import read_text


def notes(
    job_id: JobArgument,
    write: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Markdown that takes the place of the notes; - is standard input."),
    ] = None,
    as_json: JsonOption = False,
    url: UrlOption = "",
    token: TokenOption = "",
    data_dir: DataDirOption = None,
) -> None:
    """Print the notes of a job as they were typed, or replace them."""
    with open_client(url, token, data_dir) as client:
        view = client.notes(job_id)
        if write is not None:
            text = sys.stdin.read() if str(write) == "-" else read_text(write)
            view = client.edit_notes(job_id, text, view.version)
    if as_json:
        typer.echo(view.model_dump_json(indent=2))
    elif write is None:
        typer.echo(view.markdown)
    else:
        typer.echo(f"{job_id} has notes of {len(view.markdown)} characters")
