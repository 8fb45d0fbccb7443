"""Schemathesis sends what the OpenAPI document allows and what it forbids to a real server: no answer is a 500, and
every answer has a status and a form that the document names.

Each call that names a job, model or data set is sent twice: with the generated name, and with one that exists.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from backend.app import create_app
from backend.server import server_of
from tests.support.backend import SPEC, add_host, write_dataset, write_model
from tests.support.postgres import TEMPLATE, PostgresServer
from tunedeck.settings import Settings

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
STREAM = "/api/v1/stream"  # never ends; tests/backend/feed has tests of its own


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, postgres: PostgresServer) -> Iterator[httpx.Client]:
    """A client of a backend behind a real uvicorn, with a model, a data set, a host and a job. On PostgreSQL, which
    refuses more of what a stranger may send than SQLite."""
    with postgres.database(TEMPLATE) as url:
        data_dir = tmp_path_factory.mktemp("openapi")
        yield from _serve(Settings(data_dir=data_dir, port=0, hub_enabled=False, database_url=url))


def _serve(deployment: Settings) -> Iterator[httpx.Client]:
    server = server_of(deployment)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the backend did not start"
        time.sleep(0.02)
    port = server.servers[0].sockets[0].getsockname()[1]
    token = deployment.token_file.read_text().strip()
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers={"Authorization": f"Bearer {token}"}) as client:
        _stock(client, server.config.app, deployment.data_dir)
        yield client
    server.should_exit = True
    thread.join(20)


@pytest.fixture(scope="module")
def existing(served: httpx.Client) -> dict[str, str]:
    job_id: str = served.get("/api/v1/jobs").json()["items"][-1]["id"]
    return {"job_id": job_id}


# The document does not depend on the settings; from a fixture, schemathesis 4.32 fails under pytest 9.
schema = schemathesis.openapi.from_dict(create_app(Settings()).openapi()).exclude(path=STREAM)


@schema.parametrize()
@settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_no_call_is_answered_by_a_fault_of_ours_or_by_anything_undocumented(
    case: Any, served: httpx.Client, existing: dict[str, str]
) -> None:
    target: dict[str, Any] = {
        "base_url": str(served.base_url),
        "headers": {"Authorization": served.headers["Authorization"]},
        "checks": CHECKS,
    }
    case.call_and_validate(**target)
    names = _existing_names(case, existing)
    if names:
        case.path_parameters = {**case.path_parameters, **names}
        case.call_and_validate(**target)


def _existing_names(case: Any, existing: dict[str, str]) -> dict[str, str]:
    known = existing | {"name": "tiny" if "models" in case.operation.path else "chats"}
    return {name: known[name] for name in case.path_parameters or {} if name in known}


def _stock(client: httpx.Client, app: Any, data_dir: Path) -> None:
    write_model(data_dir / "models" / "tiny")
    write_dataset(data_dir / "datasets" / "chats.jsonl")
    with app.state.services.database.writing() as session:
        add_host(session, time.time() + 3600)
    for path, body in (
        ("models", {"name": "tiny", "path": "tiny"}),
        ("datasets", {"name": "chats", "path": "chats.jsonl"}),
        ("jobs", SPEC),
    ):
        client.post(f"/api/v1/{path}", json=body).raise_for_status()
