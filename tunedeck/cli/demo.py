"""What `tunedeck demo` shows in the terminal while the service runs: link, progress, numbers.

The job is followed in a daemon thread, because the client blocks: Ctrl-C then need not wait for an answer.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import TypeVar

import typer

from tunedeck.cli.faults import print_fault
from tunedeck.cli.progress import shown_progress
from tunedeck.client import Client
from tunedeck.demo.numbers import DemoNumbers
from tunedeck.demo.run import DemoRun
from tunedeck.errors import TunedeckError
from tunedeck.up.serve import Service

T = TypeVar("T")


class DemoShow:
    """`run` is what `serve` does beside the children. With `once` it ends with the job, else it goes on serving."""

    def __init__(self, *, once: bool, announce: Callable[[Service, str], None]) -> None:
        self._once = once
        self._announce = announce
        self._started = time.monotonic()

    async def run(self, service: Service) -> DemoNumbers:
        try:
            numbers = await self._train(service)
            _print_numbers(numbers)
        except TunedeckError as error:
            if self._once:
                raise
            print_fault(error)
        if not self._once:
            typer.echo("The service goes on; Ctrl-C ends it.")
            await asyncio.Event().wait()
        return numbers

    async def _train(self, service: Service) -> DemoNumbers:
        with Client(service.url, service.token) as client:
            run = DemoRun(client, service.settings, self._started)
            job_id = await _in_thread(run.submit)
            self._announce(service, f"/runs/{job_id}")
            with shown_progress() as shown:
                await _in_thread(lambda: run.follow(shown.update))
            typer.echo("Asking the model the held-out questions, before and after …")
            return await _in_thread(run.score)


def _print_numbers(numbers: DemoNumbers) -> None:
    typer.echo(
        f"Validation loss {numbers.first_validation_loss:.3f} → {numbers.last_validation_loss:.3f}; "
        f"questions answered exactly {numbers.exact_match_before:.0%} → {numbers.exact_match_after:.0%}; "
        f"{numbers.tokens_per_s:,.0f} tokens/s; first point after {numbers.seconds_to_first_point:.0f} s"
    )
    for goal in numbers.goals_missed:
        typer.secho(f"Missed: {goal}", fg="red")


def _in_thread(work: Callable[[], T]) -> asyncio.Future[T]:
    """Like asyncio.to_thread, but nobody waits for the thread when the program ends."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def run() -> None:
        try:
            result = work()
        except BaseException as error:  # whatever it is, the waiting task shall get it
            loop.call_soon_threadsafe(_settle, future, None, error)
        else:
            loop.call_soon_threadsafe(_settle, future, result, None)

    threading.Thread(target=run, daemon=True, name="demo").start()
    return future


def _settle(future: asyncio.Future[T], result: T | None, error: BaseException | None) -> None:
    if future.done():  # cancelled in the meantime
        return
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(result)  # type: ignore[arg-type]  # None only where T allows it
