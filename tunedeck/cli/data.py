"""`tunedeck data`: data sets of the service."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tunedeck.cli.options import (
    DataDirOption,
    JsonOption,
    NameArgument,
    TokenOption,
    UrlOption,
    open_client,
    print_json,
)

data = typer.Typer(help="Data sets: what is in a file, and what jobs may train on.", no_args_is_help=True)


@data.command("add")
def add_dataset(
    name: NameArgument,
    path: Annotated[Path, typer.Argument(help="A JSON or JSONL file.")],
    upload: Annotated[bool, typer.Option(help="Send the file instead of naming one of the service.")] = False,
    url: UrlOption = "",
    token: TokenOption = "",
    data_dir: DataDirOption = None,
) -> None:
    """Register a data set."""
    from tunedeck.errors import BadInput

    if upload and not path.is_file():
        raise BadInput.at("PATH", str(path), f"there is no file {path}", "name a JSON or JSONL file")
    with open_client(url, token, data_dir) as client:
        dataset = client.upload_dataset(name, path) if upload else client.add_dataset(name, path.absolute())
    typer.echo(f"{dataset.name}: {dataset.num_rows:,} rows, {dataset.num_trainable_rows:,} can be trained on")


@data.command("ls")
def list_datasets(
    as_json: JsonOption = False, url: UrlOption = "", token: TokenOption = "", data_dir: DataDirOption = None
) -> None:
    """List the registered data sets."""
    from tunedeck.cli.render import print_datasets

    with open_client(url, token, data_dir) as client:
        found = client.datasets()
    if as_json:
        print_json(found)
        return
    print_datasets(found)
