"""`tunedeck doctor`."""

from __future__ import annotations

import typer

from tunedeck.cli.options import DataDirOption, TokenOption, UrlOption, load_settings

COLOURS = {"ok": "green", "warn": "yellow", "fail": "red"}


def doctor(url: UrlOption = "", token: TokenOption = "", data_dir: DataDirOption = None) -> None:
    """Check this machine and the service, and say what to mend. Exit code 1 if anything fails."""
    from tunedeck.doctor import examine

    failed = False
    for check in examine(load_settings(data_dir=data_dir), url, token):
        failed |= check.verdict == "fail"
        typer.echo(
            f"{typer.style(f'{check.verdict:<4}', fg=COLOURS[check.verdict])}  {check.subject:<18} {check.finding}"
        )
        if check.mend:
            typer.echo(f"      {'':<18} → {check.mend}")
    if failed:
        raise typer.Exit(1)
