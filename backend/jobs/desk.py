"""Where jobs are handed in: whoever comes while others are being stored shares the next transaction with all who wait.

All of it lives on the event loop, which therefore needs no lock and spends no thread on those who wait.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from starlette.concurrency import run_in_threadpool

from backend.db.database import Database
from backend.jobs.taking import HandedIn, Taken, take

# A transaction of hundreds of jobs would keep scheduler and ingest waiting.
MOST_AT_ONCE = 32
# How long those who wait do so for others at most, in seconds.
LINGER_S = 0.01


class Desk:
    """`on_taken` is called after each transaction."""

    def __init__(self, database: Database, on_taken: Callable[[], None]) -> None:
        self._database = database
        self._on_taken = on_taken
        self._waiting: list[tuple[HandedIn, asyncio.Future[bytes]]] = []
        self._clerk: asyncio.Task[None] | None = None
        self._num_wanted = 0
        self._are_enough = asyncio.Event()

    async def hand_in(self, handed_in: HandedIn) -> bytes:
        """A JobDetail as JSON. Raises BadInput with every problem of the spec; then nothing is stored. A caller that is
        cancelled meanwhile may have made a job."""
        future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._waiting.append((handed_in, future))
        if len(self._waiting) >= self._num_wanted:
            self._are_enough.set()
        if self._clerk is None or self._clerk.done():
            self._clerk = asyncio.create_task(self._take_all())
        return await future

    async def _take_all(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[:MOST_AT_ONCE], self._waiting[MOST_AT_ONCE:]
            taken = await self._take([handed_in for handed_in, _ in batch])
            for (_, future), found in zip(batch, taken, strict=True):
                _answer(future, found)
            self._on_taken()
            await self._gather(len(batch) + len(self._waiting))

    async def _gather(self, num_callers: int) -> None:
        """Those who were answered just now come again at once if they have more, and then all share one transaction.
        Without this pause a part of them would be stored while another was answered. Who is alone never waits."""
        self._num_wanted = min(num_callers, MOST_AT_ONCE) if num_callers > 1 else 0
        self._are_enough.clear()
        if len(self._waiting) < self._num_wanted:
            with suppress(TimeoutError):
                async with asyncio.timeout(LINGER_S):
                    await self._are_enough.wait()

    async def _take(self, handed_in: list[HandedIn]) -> list[Taken]:
        try:
            return await run_in_threadpool(take, self._database, handed_in)
        except Exception as fault:
            return [fault] * len(handed_in)


def _answer(future: asyncio.Future[bytes], found: Taken) -> None:
    if future.done():  # the caller has gone
        return
    if isinstance(found, Exception):
        future.set_exception(found)
    else:
        future.set_result(found)
