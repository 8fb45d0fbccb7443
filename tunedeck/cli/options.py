"""Options that several commands share, and the settings and the client that they lead to."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from pydantic import BaseModel

    from tunedeck.client import Client
    from tunedeck.settings import Settings

UrlOption = Annotated[
    str, typer.Option("--url", envvar="TUNEDECK_URL", help="Where the service is; else the one of the data folder.")
]
TokenOption = Annotated[
    str, typer.Option("--token", envvar="TUNEDECK_TOKEN", help="API token; else the one in the data folder.")
]
DataDirOption = Annotated[
    Path | None, typer.Option("--data-dir", help="Data folder; else TUNEDECK_DATA_DIR, else .tunedeck here.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
NameArgument = Annotated[str, typer.Argument(help="The name by which a spec calls it.")]
JobArgument = Annotated[str, typer.Argument(metavar="ID", help="The id of the job, as `tunedeck ls` shows it.")]


def load_settings(**given: Any) -> Settings:
    """The settings of the environment, with what was `given` (None: not given) laid over. Raise BadInput."""
    from pydantic import ValidationError
    from pydantic_settings import SettingsError

    from tunedeck.errors import BadInput, Problem
    from tunedeck.settings import Settings

    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        problems = tuple(
            Problem(f"TUNEDECK_{'.'.join(map(str, fault['loc'])).upper()}", fault["input"], fault["msg"], "")
            for fault in error.errors()
        )
        raise BadInput("a setting is wrong", "change the option or the environment variable", problems) from None
    except SettingsError as error:  # the only settings that are parsed before they are validated are lists
        mend = """write lists as JSON, such as TUNEDECK_MODEL_ROOTS='["/srv/models"]'"""
        raise BadInput(f"a setting is wrong: {error}", mend) from None


def open_client(url: str, token: str, data_dir: Path | None) -> Client:
    from tunedeck.client import connect

    return connect(url, token, load_settings(data_dir=data_dir))


def print_json(found: Sequence[BaseModel]) -> None:
    typer.echo(json.dumps([each.model_dump(mode="json") for each in found], indent=2))
