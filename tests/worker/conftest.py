"""Real Valkey, real Celery, real processes; only the engine and the backend are stand-ins."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.valkey import ValkeyServer
from tests.worker.backend_stand_in import BackendStandIn
from tests.worker.orders import HOST
from tests.worker.worker_process import WorkerProcess
from tunedeck.settings import Settings


@pytest.fixture
def folder() -> Iterator[Path]:
    """A short path: a Unix socket's may have no more than 107 characters, and pytest's own are longer."""
    with tempfile.TemporaryDirectory(prefix="td-") as path:
        yield Path(path)


@pytest.fixture
def valkey(folder: Path) -> Iterator[ValkeyServer]:
    server = ValkeyServer(folder)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def settings(folder: Path, valkey: ValkeyServer) -> Settings:
    return Settings(data_dir=folder / "data", redis_url=valkey.url, host_name=HOST, heartbeat_s=0.2, stop_grace_s=1.0)


@pytest.fixture
def backend(valkey: ValkeyServer) -> BackendStandIn:
    return BackendStandIn(valkey.client(), valkey.url)


@pytest.fixture
def worker(settings: Settings) -> Iterator[WorkerProcess]:
    process = WorkerProcess(settings)
    yield process
    process.stop()
