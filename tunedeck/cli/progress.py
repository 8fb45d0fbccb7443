"""The progress of a job: a bar in a terminal, now and then a line anywhere else."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Protocol

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from tunedeck.cli.render import duration, number, progress
from tunedeck.lifecycle import FINAL
from tunedeck.views.jobs import JobView

LINE_INTERVAL_S = 5.0


class Shown(Protocol):
    """A context manager that is told of every change."""

    def __enter__(self) -> Shown: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
    def update(self, job: JobView) -> None: ...


def shown_progress() -> Shown:
    return ProgressBar() if sys.stdout.isatty() else ProgressLines()


class ProgressBar:
    """Entered and left in the main thread, so that the cursor comes back at Ctrl-C; updated from any."""

    def __init__(self) -> None:
        self._bar = Progress(
            TextColumn("{task.description:<10}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("loss {task.fields[loss]}  {task.fields[speed]} tokens/s  {task.fields[eta]} left"),
        )
        self._task = self._bar.add_task("queued", total=None, loss="–", speed="–", eta="–")

    def __enter__(self) -> ProgressBar:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def update(self, job: JobView) -> None:
        self._bar.update(
            self._task,
            description=_what_it_does(job),
            completed=job.step,
            total=job.train_iters or None,
            loss=number(job.latest.get("loss")),
            speed=number(job.latest.get("tokens_per_s")),
            eta=duration(job.eta_s),
        )


class ProgressLines:
    """One line at each change of state or phase, and one every few seconds."""

    def __init__(self) -> None:
        self._said = ""
        self._said_at = 0.0

    def __enter__(self) -> ProgressLines:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return

    def update(self, job: JobView) -> None:
        doing = _what_it_does(job)
        if doing == self._said and time.monotonic() - self._said_at < LINE_INTERVAL_S:
            return
        self._said, self._said_at = doing, time.monotonic()
        measured = f"  loss {number(job.latest.get('loss'))}  {number(job.latest.get('tokens_per_s'))} tokens/s"
        left = f"  {duration(job.eta_s)} left" if job.eta_s is not None else ""
        typer.echo(f"{doing:<10} {progress(job)}{measured if job.step else ''}{left}")


def _what_it_does(job: JobView) -> str:
    if job.state in FINAL or not job.phase:
        return str(job.state)
    return job.phase
