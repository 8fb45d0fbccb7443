"""`tunedeck artifacts`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tunedeck.cli.options import DataDirOption, JobArgument, JsonOption, TokenOption, UrlOption, open_client, print_json


def artifacts(
    job_id: JobArgument,
    to: Annotated[Path | None, typer.Option(help="Fetch them all into this folder, by attempt.")] = None,
    as_json: JsonOption = False,
    url: UrlOption = "",
    token: TokenOption = "",
    data_dir: DataDirOption = None,
) -> None:
    """List what a job left for other tools: profiles, curves, memory snapshots."""
    from tunedeck.cli.render import print_artifacts

    with open_client(url, token, data_dir) as client:
        found = client.artifacts(job_id)
        if to is not None:
            for artifact in found:
                client.fetch_artifact(job_id, artifact, to / str(artifact.attempt) / artifact.path)
    if as_json:
        print_json(found)
        return
    print_artifacts(found)
