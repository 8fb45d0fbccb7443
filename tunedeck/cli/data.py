"""`tunedeck data`: data sets of the service."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tunedeck.cli.long_work import shown_bytes, shown_work
from tunedeck.cli.options import (
    DataDirOption,
    JsonOption,
    NameArgument,
    TokenOption,
    UrlOption,
    open_client,
    print_json,
)

if TYPE_CHECKING:
    from tunedeck.views.datasets import DatasetView

data = typer.Typer(help="Data sets: what is in a file, and what jobs may train on.", no_args_is_help=True)


VersionOption = Annotated[bool, typer.Option("--new-version", help="Add a version to the data set of that name.")]


@data.command("add")
def add_dataset(
    name: NameArgument,
    path: Annotated[str, typer.Argument(help="A file below a root of the service.")] = "",
    hub: Annotated[str, typer.Option(help="Instead of a file: the id of a data set of the Hugging Face hub.")] = "",
    config: Annotated[str, typer.Option(help="Configuration of the data set of the hub.")] = "",
    split: Annotated[str, typer.Option(help="Split of the data set of the hub.")] = "train",
    revision: Annotated[str, typer.Option(help="Revision of the data set of the hub.")] = "",
    new_version: VersionOption = False,
    url: UrlOption = "",
    token: TokenOption = "",
    data_dir: DataDirOption = None,
) -> None:
    """Register a file that the service can read, or a data set of the hub."""
    asked: dict[str, Any] = {"new_version": new_version}
    if hub:
        asked["hub"] = {"id": hub, "config": config, "split": split, "revision": revision}
    with open_client(url, token, data_dir) as client, shown_work() as show:
        absolute = Path(path).absolute() if path else ""
        _say_added(client.add_dataset(name, absolute, on_work=show, **asked))


@data.command("upload")
def upload_dataset(
    file: Annotated[Path, typer.Argument(help="A file of this machine.")],
    name: Annotated[str, typer.Option(help="The name by which a spec calls it.")],
    new_version: VersionOption = False,
    url: UrlOption = "",
    token: TokenOption = "",
    data_dir: DataDirOption = None,
) -> None:
    """Send a file and register it. After a broken connection the same command goes on where it stopped."""
    with open_client(url, token, data_dir) as client:
        with shown_bytes(file.name) as show_bytes:
            upload, sha256 = client.send_file(file, show_bytes)
        with shown_work() as show:
            added = client.add_dataset(name, upload=upload, sha256=sha256, new_version=new_version, on_work=show)
    _say_added(added)


@data.command("ls")
def list_datasets(
    trash: Annotated[bool, typer.Option("--trash", help="What lies in the trash instead.")] = False,
    as_json: JsonOption = False,
    url: UrlOption = "",
    token: TokenOption = "",
    data_dir: DataDirOption = None,
) -> None:
    """List the data sets."""
    with open_client(url, token, data_dir) as client:
        _print(client.datasets(trashed=trash), as_json)


@data.command("versions")
def list_versions(
    name: NameArgument,
    as_json: JsonOption = False,
    url: UrlOption = "",
    token: TokenOption = "",
    data_dir: DataDirOption = None,
) -> None:
    """List the versions of a data set, the newest first."""
    with open_client(url, token, data_dir) as client:
        _print(client.dataset_versions(name), as_json)


@data.command("rm")
def remove_dataset(
    name: NameArgument,
    for_good: Annotated[bool, typer.Option("--for-good", help="Delete at once what lies in the trash.")] = False,
    url: UrlOption = "",
    token: TokenOption = "",
    data_dir: DataDirOption = None,
) -> None:
    """Put a data set into the trash; it can be restored for seven days."""
    with open_client(url, token, data_dir) as client:
        client.delete_dataset(name, for_good=for_good)
    typer.echo(f"{name} is deleted" if for_good else f"{name} lies in the trash: tunedeck data restore {name}")


@data.command("restore")
def restore_dataset(
    name: NameArgument, url: UrlOption = "", token: TokenOption = "", data_dir: DataDirOption = None
) -> None:
    """Take a data set out of the trash."""
    with open_client(url, token, data_dir) as client:
        client.restore_dataset(name)
    typer.echo(f"{name} is restored")


def _say_added(dataset: DatasetView) -> None:
    typer.echo(
        f"{dataset.name} version {dataset.version}: {dataset.num_rows:,} rows, "
        f"{dataset.num_trainable_rows:,} can be trained on"
    )


def _print(found: Sequence[DatasetView], as_json: bool) -> None:
    from tunedeck.cli.render import print_datasets

    if as_json:
        print_json(found)
        return
    print_datasets(found)
