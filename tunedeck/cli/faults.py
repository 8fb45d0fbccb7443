"""How an error is said in a terminal: the sentence, then each field's fault, then what to do."""

from __future__ import annotations

import typer

from tunedeck.errors import Problem, TunedeckError


def print_fault(error: TunedeckError) -> None:
    typer.secho(f"Error: {error.message}", err=True, fg="red")
    for problem in error.problems:
        for line in _lines_of(problem, error):
            typer.echo(line, err=True)
    if error.mend:
        typer.echo(f"What to do: {error.mend}", err=True)


def _lines_of(problem: Problem, error: TunedeckError) -> list[str]:
    """Leave out what the error itself says: a single fault has the same words."""
    where = f"  {problem.field or '(whole input)'} = {_short(problem.value)}"
    if problem.message == error.message:
        return [where]
    mend = [f"      {problem.mend}"] if problem.mend and problem.mend != error.mend else []
    return [f"{where}: {problem.message}", *mend]


def _short(value: object, limit: int = 80) -> str:
    text = repr(value)
    return text if len(text) <= limit else f"{text[:limit]}…"
