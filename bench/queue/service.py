"""A bus and a backend for a measurement, without a worker: what workers say comes from the measurement itself."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import psutil
import redis

from backend.bus import connect
from backend.db.database import Database
from backend.db.migrate import migrate
from bench.deployment import end, wait_for
from bench.queue.databases import Kind, database_url
from tunedeck.settings import Settings
from tunedeck.up import children
from tunedeck.up.port import base_url, free_port


@dataclass(frozen=True)
class Service:
    settings: Settings
    url: str
    processes: dict[str, subprocess.Popen[bytes]]

    def client(self) -> httpx.Client:
        return httpx.Client(base_url=f"{self.url}/api/v1", headers=self.headers, timeout=60)

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"} if self.settings.token_file.exists() else {}

    @property
    def token(self) -> str:
        return self.settings.token_file.read_text().strip()

    def bus(self) -> redis.Redis:
        return connect(self.settings.resolved_redis_url())

    def cpu_s(self, name: str) -> float:
        """Processor time that one of the processes has used, in seconds."""
        used = psutil.Process(self.processes[name].pid).cpu_times()
        return float(used.user + used.system)

    def start(self, name: str, *command: str) -> None:
        """`command` with the environment of this deployment; ended with it."""
        env = {**os.environ, **self.settings.as_env()}
        with (self.settings.data_dir / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(command, env=env, stdout=log, stderr=log)

    def start_backend(self, module: str = "backend") -> None:
        self.start("backend", sys.executable, "-m", module)
        wait_for(self._answers, "the backend", look_every_s=0.05)

    def end(self, name: str) -> None:
        end(self.processes.pop(name))

    def _answers(self) -> bool:
        try:
            with self.client() as client:
                return client.get("/health").is_success
        except (OSError, httpx.TransportError):
            return False


@contextmanager
def service(kind: Kind, lease_s: float = 15.0) -> Iterator[Service]:
    """A bus that runs and a migrated database; the backend is started by whoever has stocked it. A run that
    is stocked as live, and of which no worker speaks, is lost after `lease_s`."""
    with TemporaryDirectory(prefix="queue-") as folder, database_url(kind, Path(folder)) as url:
        settings = Settings(data_dir=Path(folder), port=free_port("127.0.0.1", 0), database_url=url, lease_s=lease_s)
        made = Service(settings, base_url(settings.host, settings.port), {})
        database = Database(url)
        migrate(database)
        database.close()
        try:
            made.start("bus", *children.valkey(settings, os.environ).command)
            wait_for((settings.bus_dir / "valkey.sock").exists, "the bus", look_every_s=0.02)
            yield made
        finally:
            for process in reversed(made.processes.values()):
                end(process)
