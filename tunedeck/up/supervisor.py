"""Starts children in order, restarts the one that dies, ends all in reverse order.

A child that dies before it was ever ready is not restarted: the same command would fail again, so its last log lines
become the error. Later deaths are mended with a growing delay, and said, with log lines when they follow in quick
succession. The supervisor never gives up then: a full disk may be mended by the user while it waits.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from tunedeck.errors import ChildFailed
from tunedeck.up.process import ChildProcess, LogFile

QUICK_DEATH_S = 10.0
FIRST_DELAY_S = 0.5
MAX_DELAY_S = 30.0
POLL_S = 0.05

Say = Callable[[str], None]
Probe = Callable[[], Awaitable[bool]]


@dataclass(frozen=True)
class Child:
    """What to run. `ready=None`: nobody waits for it, and even its first death is mended by a restart."""

    name: str
    command: tuple[str, ...]
    env: Mapping[str, str]
    log: LogFile
    ready: Probe | None
    ready_timeout_s: float
    stop_grace_s: float


class Supervisor:
    """`broken` fails with whatever ended the supervision of a child: without it, nobody would restart that child."""

    def __init__(self, say: Say) -> None:
        self._say = say
        self._kept: list[_Kept] = []
        self._hurry = asyncio.Event()
        self.broken: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def start(self, child: Child) -> None:
        """Start it, keep it running from now on, and wait until it is ready. Raise ChildFailed if it cannot start."""
        kept = _Kept(child, self._say)
        self._kept.append(kept)
        task = await kept.start()
        task.add_done_callback(self._notice)

    def _notice(self, task: asyncio.Task[None]) -> None:
        if task.cancelled() or self.broken.done():
            return
        error = task.exception()
        if error is not None:
            self.broken.set_exception(error)

    async def stop(self) -> None:
        """End all, the last started first. Each has its grace; `hurry` cuts it short."""
        while self._kept:
            await self._kept.pop().stop(self._hurry)

    def hurry(self) -> None:
        self._hurry.set()


class _Kept:
    """One child and the task that restarts it."""

    def __init__(self, child: Child, say: Say) -> None:
        self._child = child
        self._say = say
        self._process: ChildProcess | None = None
        self._task: asyncio.Task[None] | None = None
        self._said_tail: tuple[str, ...] = ()

    async def start(self) -> asyncio.Task[None]:
        self._process = await self._spawn()
        if self._child.ready is not None:
            await self._wait_until_ready(self._child.ready, self._process)
        self._task = asyncio.create_task(self._keep(self._process), name=f"keep {self._child.name}")
        return self._task

    async def _spawn(self) -> ChildProcess:
        return await ChildProcess.start(self._child.command, self._child.env, self._child.log)

    async def _wait_until_ready(self, ready: Probe, process: ChildProcess) -> None:
        ended = asyncio.create_task(process.wait())
        try:
            while not await ready():
                if ended.done():
                    raise self._failed(f"{self._child.name} {_how(ended.result())} before it was ready")
                if process.age_s > self._child.ready_timeout_s:
                    raise self._failed(f"{self._child.name} was not ready after {self._child.ready_timeout_s:.0f} s")
                await asyncio.wait({ended}, timeout=POLL_S)
        finally:
            ended.cancel()

    def _failed(self, message: str) -> ChildFailed:
        log = self._child.log
        lines = "".join(f"\n    {line}" for line in log.tail())
        return ChildFailed(message, f"look at {log.path}; its last lines:{lines}" if lines else f"{log.path} is empty")

    async def _keep(self, process: ChildProcess) -> None:
        num_quick_deaths = 0
        while True:
            returncode = await process.wait()
            num_quick_deaths = num_quick_deaths + 1 if process.age_s < QUICK_DEATH_S else 0
            delay_s = min(MAX_DELAY_S, FIRST_DELAY_S * 2 ** max(0, num_quick_deaths - 1))
            self._say(f"{self._child.name} {_how(returncode)} after {process.age_s:.1f} s; restart in {delay_s:g} s")
            if num_quick_deaths > 1:
                self._say_log_tail()
            process = self._process = await self._respawn(delay_s)

    async def _respawn(self, delay_s: float) -> ChildProcess:
        while True:
            await asyncio.sleep(delay_s)
            try:
                return await self._spawn()
            except OSError as error:  # for example a full disk, where not even the log can be opened
                delay_s = min(MAX_DELAY_S, delay_s * 2)
                self._say(f"{self._child.name} cannot be started: {error}; next try in {delay_s:g} s")

    def _say_log_tail(self) -> None:
        tail = self._child.log.tail()
        if tail == self._said_tail:
            return
        self._said_tail = tail
        self._say(f"the last lines of {self._child.log.path}:")
        for line in tail:
            self._say(f"    {line}")

    async def stop(self, hurry: asyncio.Event) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})
        process = self._process
        if process is None:
            return
        ended, hurried = asyncio.create_task(process.wait()), asyncio.create_task(hurry.wait())
        process.terminate()
        grace_s = self._child.stop_grace_s
        await asyncio.wait({ended, hurried}, timeout=grace_s, return_when=asyncio.FIRST_COMPLETED)
        if not ended.done():
            if not hurry.is_set():
                self._say(f"{self._child.name} did not end within {grace_s:g} s and is killed")
            process.kill()
        await ended
        hurried.cancel()


def _how(returncode: int) -> str:
    if returncode >= 0:
        return f"ended with exit code {returncode}"
    return f"was ended by {signal.Signals(-returncode).name}"
