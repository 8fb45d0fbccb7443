"""`tunedeck data cache ls|rm`: data sets that the service keeps tokenised, so that jobs need not make tokens again."""

from __future__ import annotations

from typing import Annotated

import typer

from tunedeck.cli.options import DataDirOption, JsonOption, TokenOption, UrlOption, open_client, print_json

cache = typer.Typer(help="Tokenised data sets that are kept for further jobs.", no_args_is_help=True)


@cache.command("ls")
def list_cache(
    as_json: JsonOption = False, url: UrlOption = "", token: TokenOption = "", data_dir: DataDirOption = None
) -> None:
    """List what is kept, the one used last first."""
    from tunedeck.cli.render import print_cached_tokens

    with open_client(url, token, data_dir) as client:
        found = client.cached_tokens()
    if as_json:
        print_json(found)
        return
    print_cached_tokens(found)


@cache.command("rm")
def remove_from_cache(
    keys: Annotated[list[str] | None, typer.Argument(metavar="KEY...", help="As `ls` shows them.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Remove all that is kept.")] = False,
    url: UrlOption = "",
    token: TokenOption = "",
    data_dir: DataDirOption = None,
) -> None:
    """Remove tokens. A job that needs them makes them again; a run that has them open goes on."""
    from tunedeck.errors import BadInput

    if bool(keys) == everything:
        raise BadInput("name the keys to remove, or give --all", "see tunedeck data cache ls")
    with open_client(url, token, data_dir) as client:
        named = [entry.key for entry in client.cached_tokens()] if everything else keys or []
        freed = sum(client.remove_cached_tokens(key).size_bytes for key in named)
    typer.echo(f"{len(named)} removed, {freed:,} bytes freed")
