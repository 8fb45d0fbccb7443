"""`tunedeck report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tunedeck.cli.options import DataDirOption, TokenOption, UrlOption, open_client


def report(
    job_ids: Annotated[list[str], typer.Argument(metavar="ID...", help="One job, or several to compare.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The file to write.")] = Path("report.html"),
    url: UrlOption = "",
    token: TokenOption = "",
    data_dir: DataDirOption = None,
) -> None:
    """Write charts, results, specs and events of jobs as one HTML file that opens without a network."""

    def say(num_bytes: int) -> None:
        typer.echo(f"{output}: {num_bytes / 1e6:.1f} MB", err=True)

    with open_client(url, token, data_dir) as client:
        client.fetch_report(job_ids, output, say)
