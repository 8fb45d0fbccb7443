"""`tunedeck models add|ls` and `tunedeck datasets add|ls`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from pydantic import BaseModel

from tunedeck.cli.options import DataDirOption, JsonOption, TokenOption, UrlOption, open_client

models = typer.Typer(help="Models that jobs may start from.", no_args_is_help=True)
datasets = typer.Typer(help="Data sets that jobs may train on.", no_args_is_help=True)

NameArgument = Annotated[str, typer.Argument(help="The name by which a spec calls it.")]


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
        _print_json(found)
        return
    print_models(found)


@datasets.command("add")
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


@datasets.command("ls")
def list_datasets(
    as_json: JsonOption = False, url: UrlOption = "", token: TokenOption = "", data_dir: DataDirOption = None
) -> None:
    """List the registered data sets."""
    from tunedeck.cli.render import print_datasets

    with open_client(url, token, data_dir) as client:
        found = client.datasets()
    if as_json:
        _print_json(found)
        return
    print_datasets(found)


def _print_json(found: Sequence[BaseModel]) -> None:
    typer.echo(json.dumps([each.model_dump(mode="json") for each in found], indent=2))
