"""A whole backend per test, on a database file of its own; where no bus is, nothing is ever placed."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from backend.app import create_app
from backend.db.database import Database
from backend.db.migrate import migrate
from tests.support.backend import add_host, write_dataset, write_model
from tests.support.valkey import ValkeyServer
from tunedeck.settings import Settings

ADDRESS = "http://127.0.0.1:8500"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data")


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    """A migrated, empty database without a backend around it."""
    made = Database(settings.resolved_database_url())
    migrate(made)
    yield made
    made.close()


@pytest.fixture
def valkey() -> Iterator[ValkeyServer]:
    """A bus that runs; pytest's own folders are too deep for a Unix socket."""
    with tempfile.TemporaryDirectory(prefix="bus-") as folder:
        server = ValkeyServer(Path(folder))
        server.start()
        yield server
        server.stop()


@pytest.fixture
def stranger(settings: Settings) -> Iterator[TestClient]:
    """A client of a running backend that has not logged in."""
    with TestClient(create_app(settings), base_url=ADDRESS, follow_redirects=False) as client:
        yield client


@pytest.fixture
def client(stranger: TestClient, settings: Settings) -> TestClient:
    stranger.headers["Authorization"] = f"Bearer {settings.token_file.read_text().strip()}"
    return stranger


@pytest.fixture
def stocked(client: TestClient, settings: Settings) -> TestClient:
    """The model `tiny`, the data set `chats` of 40 rows, and the host `box` with four cores."""
    write_model(settings.models_dir / "tiny")
    write_dataset(settings.datasets_dir / "chats.jsonl")
    assert client.post("/api/v1/models", json={"name": "tiny", "path": "tiny"}).status_code == 201
    assert client.post("/api/v1/datasets", json={"name": "chats", "path": "chats.jsonl"}).status_code == 201
    with client.app.state.services.database.writing() as session:  # type: ignore[attr-defined]
        add_host(session, time.time() + 3600)
    return client
