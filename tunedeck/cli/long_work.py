"""Progress of an upload or of long work: a bar with rate and time left in a terminal, nothing in a pipe."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress

    from tunedeck.views import WorkView


@contextmanager
def shown_bytes(title: str) -> Iterator[Callable[[int, int], None]]:
    """Yields what is to be told (done, total) in bytes."""
    with _bar() as bar:
        task = bar.add_task(title, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


@contextmanager
def shown_work() -> Iterator[Callable[[WorkView], None]]:
    """Yields what is to be told of the work."""
    with _bar() as bar:
        task = bar.add_task("", total=None, visible=False)

        def show(work: WorkView) -> None:
            title = f"{work.kind} of {work.title}"
            bar.update(task, description=title, completed=work.done, total=work.total or None, visible=True)

        yield show


def _bar() -> Progress:
    import sys

    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn

    columns = ("[progress.description]{task.description}", BarColumn(), DownloadColumn(), TransferSpeedColumn())
    console = Console(stderr=True)
    return Progress(*columns, TimeRemainingColumn(), console=console, transient=True, disable=not sys.stderr.isatty())
