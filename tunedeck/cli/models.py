"""`tunedeck models add|ls`."""

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

models = typer.Typer(help="Models that jobs may start from.", no_args_is_help=True)


@models.command("add")
def add_model(
    name: NameArgument,
    path: Annotated[Path, typer.Argument(help="A Hugging Face folder, below a root of the service.")],
    url: UrlOption = "",
    token: TokenOption = "",
    data_dir: DataDirOption = None,
) -> None:
    """Register a model folder."""
    with open_client(url, token, data_dir) as client:
        model = client.add_model(name, path.absolute())
    typer.echo(f"{model.name}: {model.architecture}, {model.num_parameters:,} parameters")


@models.command("ls")
def list_models(
    as_json: JsonOption = False, url: UrlOption = "", token: TokenOption = "", data_dir: DataDirOption = None
) -> None:
    """List the registered models."""
    from tunedeck.cli.render import print_models

    with open_client(url, token, data_dir) as client:
        found = client.models()
    if as_json:
        print_json(found)
        return
    print_models(found)
