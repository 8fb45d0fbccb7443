"""A whole service for a measurement: bus, backend and worker as `tunedeck up` starts them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tunedeck.client import Client
from tunedeck.demo.registration import register
from tunedeck.errors import TunedeckError
from tunedeck.settings import Settings
from tunedeck.up import children
from tunedeck.up.port import base_url, free_port

PATIENCE_S = 120.0
STOP_S = 30.0


@dataclass(frozen=True)
class Deployment:
    settings: Settings
    url: str

    @property
    def token(self) -> str:
        return self.settings.token_file.read_text().strip()

    def client(self) -> Client:
        return Client(self.url, self.token)


@contextmanager
def deployment(data_dir: Path, engine_module: str, worker_prefix: tuple[str, ...] = ()) -> Iterator[Deployment]:
    """The demo's model and data set are registered and the worker has said hello. `data_dir` may be used again.

    `worker_prefix` goes before the worker's command, as in ("taskset", "--cpu-list", "0").
    """
    settings = Settings(data_dir=data_dir, port=free_port("127.0.0.1", 0))
    made = Deployment(settings, base_url(settings.host, settings.port))
    running: list[subprocess.Popen[bytes]] = []
    try:
        _start_all(made, (*worker_prefix, sys.executable, "-m", "worker", "--engine-module", engine_module), running)
        yield made
    finally:
        for process in reversed(running):
            end(process)


def wait_for(is_so: Callable[[], object], what: str, patience_s: float = PATIENCE_S, look_every_s: float = 0.5) -> None:
    """Raises TimeoutError after `patience_s`."""
    deadline = time.monotonic() + patience_s
    while not is_so():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {patience_s:.0f} s in vain for {what}")
        time.sleep(look_every_s)


def _start_all(made: Deployment, worker_command: tuple[str, ...], running: list[subprocess.Popen[bytes]]) -> None:
    settings = made.settings
    env = {**os.environ, **settings.as_env()}
    children.logs_dir(settings).mkdir(exist_ok=True)
    running.append(_start("valkey", children.valkey(settings, env).command, settings, env))
    wait_for((settings.bus_dir / "valkey.sock").exists, "the bus")
    running.append(_start("backend", children.backend(settings, env, made.url).command, settings, env))
    running.append(_start("worker", worker_command, settings, env))
    wait_for(lambda: _has_host(made), "the worker's hello")
    with made.client() as client:
        register(client, settings)


def _start(name: str, command: tuple[str, ...], settings: Settings, env: dict[str, str]) -> subprocess.Popen[bytes]:
    with (children.logs_dir(settings) / f"{name}.log").open("ab") as log:
        return subprocess.Popen(command, env=env, stdout=log, stderr=log)


def end(process: subprocess.Popen[bytes]) -> None:
    """Ask it to end, and end it where it does not within STOP_S."""
    process.terminate()
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _has_host(made: Deployment) -> bool:
    if not made.settings.token_file.exists():
        return False
    try:
        with made.client() as client:
            return client.health().num_hosts > 0
    except TunedeckError:
        return False
