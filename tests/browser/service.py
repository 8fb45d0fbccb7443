"""A bus and a backend as real processes on a data folder of their own; scripted_worker.py is their worker."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path
from typing import IO

import httpx

from tests.support.waiting import wait_for
from tunedeck.client import Client
from tunedeck.settings import Settings
from tunedeck.up import children
from tunedeck.up.port import base_url, free_port


class BusAndBackend:
    """`kill_backend` is a kill -9: the backend has no chance to say goodbye to its listeners."""

    def __init__(self, data_dir: Path) -> None:
        port = free_port("127.0.0.1", 0)
        self.settings = Settings(data_dir=data_dir, port=port, heartbeat_s=0.5, lease_s=300.0)
        self.url = base_url("127.0.0.1", port)
        self._env = {**os.environ, **self.settings.as_env()}
        self._log: IO[bytes] = (data_dir / "processes.log").open("ab")
        self._running: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        self._start(children.valkey(self.settings, self._env).command)
        wait_for((self.settings.bus_dir / "valkey.sock").exists, "the bus")
        self.start_backend()

    @property
    def token(self) -> str:
        return self.settings.token_file.read_text().strip()

    def client(self) -> Client:
        return Client(self.url, self.token)

    def start_backend(self) -> None:
        self._backend = self._start(children.backend(self.settings, self._env, self.url).command)
        wait_for(self._answers, "the backend")

    def start_second_backend(self) -> str:
        """Another one on the same database and bus; returns its address."""
        port = free_port("127.0.0.1", 0)
        settings, url = self.settings.model_copy(update={"port": port}), base_url("127.0.0.1", port)
        self._start(children.backend(settings, self._env, url).command, TUNEDECK_PORT=str(port))
        wait_for(lambda: _answers_at(url), "the second backend")
        return url

    def kill_backend(self) -> None:
        self._backend.send_signal(signal.SIGKILL)
        self._backend.wait()
        self._running.remove(self._backend)

    def stop(self) -> None:
        for process in reversed(self._running):
            process.terminate()
            process.wait(timeout=30)
        self._log.close()

    def _start(self, command: tuple[str, ...], **other: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(command, env={**self._env, **other}, stdout=self._log, stderr=self._log)
        self._running.append(process)
        return process

    def _answers(self) -> bool:
        assert self._backend.poll() is None, (self.settings.data_dir / "processes.log").read_text()[-3000:]
        return _answers_at(self.url)


def _answers_at(url: str) -> bool:
    try:
        return httpx.get(f"{url}/login", trust_env=False).status_code < 500
    except httpx.TransportError:
        return False
