"""A whole backend per test, on a database of its own; where no bus is, nothing is ever placed.

Each test that has a database runs on SQLite and on PostgreSQL. Two marks say otherwise: `sqlite_only` for what is of
SQLite's files and locks, `any_database` for what is the same on both because it hardly touches one.
"""

from __future__ import annotations

import shutil
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
from tests.support.postgres import TEMPLATE, PostgresServer
from tests.support.valkey import ValkeyServer
from tunedeck.settings import Settings

ADDRESS = "http://127.0.0.1:8500"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    given = [mark.args[0] for mark in metafunc.definition.iter_markers("parametrize")]
    if "database_kind" not in metafunc.fixturenames or "database_kind" in given:
        return
    marks = {mark.name for mark in metafunc.definition.iter_markers()}
    kinds = ["sqlite"] if marks & {"sqlite_only", "any_database"} else ["sqlite", "postgresql"]
    metafunc.parametrize("database_kind", kinds, indirect=True)


@pytest.fixture
def database_kind(request: pytest.FixtureRequest) -> str:
    kind: str = request.param
    return kind


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite database as migrations leave it, to be copied."""
    file = tmp_path_factory.mktemp("sqlite") / "tunedeck.db"
    made = Database(f"sqlite:///{file}")
    migrate(made)
    made.close()
    return file


@pytest.fixture
def settings(tmp_path: Path, database_kind: str, request: pytest.FixtureRequest) -> Iterator[Settings]:
    """Of a deployment whose database is migrated and empty."""
    data_dir = tmp_path / "data"
    data_dir.mkdir(mode=0o700)
    if database_kind == "sqlite":
        shutil.copy(request.getfixturevalue("migrated_file"), data_dir)
        yield Settings(data_dir=data_dir)
        return
    server: PostgresServer = request.getfixturevalue("postgres")
    with server.database(TEMPLATE) as url:
        yield Settings(data_dir=data_dir, database_url=url)


@pytest.fixture
def empty_url(tmp_path: Path, database_kind: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """Of a database that was never migrated."""
    if database_kind == "sqlite":
        yield f"sqlite:///{tmp_path}/empty.db"
        return
    server: PostgresServer = request.getfixturevalue("postgres")
    with server.database() as url:
        yield url


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    """A migrated, empty database without a backend around it."""
    made = Database(settings.resolved_database_url())
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
