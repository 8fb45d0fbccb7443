"""Progress of an upload or of long work: a bar with amounts and time left in a terminal, nothing in a pipe."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress

    from tunedeck.views.works import WorkView


@contextmanager
def shown_bytes(title: str) -> Iterator[Callable[[int, int], None]]:
    """Yields what is to be told (done, total) in bytes."""
    with _bar() as bar:
        task = bar.add_task(title, total=None, amount="")
        yield lambda done, total: bar.update(task, completed=done, total=total, amount=_amount(done, total, "bytes"))


@contextmanager
def shown_work() -> Iterator[Callable[[WorkView], None]]:
    """Yields what is to be told of the work."""
    with _bar() as bar:
        task = bar.add_task("", total=None, visible=False, amount="")

        def show(work: WorkView) -> None:
            title = f"{work.kind} of {work.title}"
            amount = _amount(work.done, work.total, work.unit)
            bar.update(
                task, description=title, completed=work.done, total=work.total or None, amount=amount, visible=True
            )

        yield show


def _amount(done: int, total: int, unit: str) -> str:
    from rich.filesize import decimal

    def written(number: int) -> str:
        return decimal(number) if unit == "bytes" else f"{number:,}"

    of_all = f"{written(done)} of {written(total)}" if total else written(done)
    return of_all if unit == "bytes" else f"{of_all} {unit}"


def _bar() -> Progress:
    import sys

    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[amount]}"))
    console = Console(stderr=True)
    return Progress(*columns, TimeRemainingColumn(), console=console, transient=True, disable=not sys.stderr.isatty())
