"""All of `tunedeck up`: take the data folder, choose the port, start the children, do the work meant, end them.

`serve` is the one way in, for `up` (which then waits for ever) and for `demo` (which then trains). It refuses to start
anything before the lock is held and every setting has been checked.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

from tunedeck.errors import BadInput
from tunedeck.settings import Settings
from tunedeck.up import children
from tunedeck.up.address import Address
from tunedeck.up.bus_door import BusDoor
from tunedeck.up.lock import data_dir_lock
from tunedeck.up.port import base_url, free_port
from tunedeck.up.supervisor import Say, Supervisor

T = TypeVar("T")


@dataclass(frozen=True)
class Service:
    """The running service. In `settings` data_dir is absolute and the port is the one that is listened on.

    `join_url` is where workers of other hosts find the bus, "" where it has no door for them.
    """

    settings: Settings
    url: str
    token: str
    join_url: str

    def login_link(self, next_path: str = "") -> str:
        link = f"{self.url}/login?token={quote(self.token, safe='')}"
        return f"{link}&next={quote(next_path, safe='')}" if next_path else link


async def serve(settings: Settings, say: Say, during: Callable[[Service], Awaitable[T]]) -> T | None:
    """Run everything, and `during` once the backend answers. None if a signal came before `during` was done.

    Raise Conflict (folder or port taken), BadInput (a setting), ChildFailed (a child could not start).
    """
    data_dir = settings.data_dir.absolute()
    _make_folder(data_dir)
    with data_dir_lock(data_dir, os.getpid()):
        port = free_port(settings.host, settings.port)
        settings = settings.model_copy(update={"data_dir": data_dir, "port": port})
        supervisor = Supervisor(say)
        stopped = _stopped_by_signal(supervisor, say)
        work = asyncio.ensure_future(_start_and_do(settings, supervisor, during))
        try:
            ways_to_end: set[asyncio.Future[Any]] = {work, stopped, supervisor.broken}
            await asyncio.wait(ways_to_end, return_when=asyncio.FIRST_COMPLETED)
            if supervisor.broken.done():
                supervisor.broken.result()
            return work.result() if work.done() else None
        finally:
            work.cancel()
            await asyncio.wait({work})
            await supervisor.stop()
            Address.file(data_dir).unlink(missing_ok=True)


def _make_folder(data_dir: Path) -> None:
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as fault:
        message = f"the data folder {data_dir} cannot be made: {fault.strerror}"
        raise BadInput.at("data_dir", str(data_dir), message, "choose another with --data-dir") from None


async def _start_and_do(settings: Settings, supervisor: Supervisor, during: Callable[[Service], Awaitable[T]]) -> T:
    url = base_url(settings.host, settings.port)
    children.logs_dir(settings).mkdir(exist_ok=True)
    door = None if settings.redis_url else BusDoor.of(settings)
    if not settings.redis_url:
        await supervisor.start(children.valkey(settings, _env(settings), door))
    if door is not None:
        settings = settings.model_copy(update={"redis_url": door.local_url()})
    env = _env(settings)
    # Side by side, to save seconds; ended in reverse order, so that the backend still stores the worker's last words.
    await asyncio.gather(
        supervisor.start(children.backend(settings, env, url)),
        supervisor.start(children.worker(settings, _without_database(env))),
    )
    Address(url=url, pid=os.getpid()).write(settings.data_dir)
    join_url = door.join_url() if door else ""
    return await during(Service(settings, url, settings.token_file.read_text().strip(), join_url))


def _env(settings: Settings) -> dict[str, str]:
    return {**os.environ, **settings.as_env(), "PYTHONUNBUFFERED": "1"}


def _without_database(env: Mapping[str, str]) -> dict[str, str]:
    """Workers hold no credentials of the database, and neither does what they run."""
    return {name: value for name, value in env.items() if name != "TUNEDECK_DATABASE_URL"}


def _stopped_by_signal(supervisor: Supervisor, say: Say) -> asyncio.Future[None]:
    """Done at the first SIGINT, SIGTERM or SIGHUP; the second one ends the children without grace."""
    loop = asyncio.get_running_loop()
    stopped: asyncio.Future[None] = loop.create_future()

    def on_signal() -> None:
        if stopped.done():
            supervisor.hurry()
            return
        say("Ending everything. Once more ends it at once.")
        stopped.set_result(None)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, on_signal)
    return stopped
