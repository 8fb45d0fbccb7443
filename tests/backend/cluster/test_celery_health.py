"""What GET /celery says of broker, queues and stream."""

from __future__ import annotations

import os
import time
from typing import Any

import pytest
from fastapi.testclient import TestClient

from backend.app import create_app
from tests.backend.conftest import ADDRESS
from tests.support.jobs import add_host
from tests.support.valkey import ValkeyServer
from tests.support.waiting import wait_for
from tunedeck.bus import MOST_STREAM_ENTRIES, queue_of
from tunedeck.settings import Settings

pytestmark = pytest.mark.any_database


def test_it_tells_of_workers_queues_broker_and_leader(settings: Settings, valkey: ValkeyServer) -> None:
    settings = settings.model_copy(update={"redis_url": valkey.url})
    with TestClient(create_app(settings), base_url=ADDRESS) as client, valkey.client() as bus:
        client.headers["Authorization"] = f"Bearer {settings.token_file.read_text().strip()}"
        with client.app.state.services.database.writing() as session:  # type: ignore[attr-defined]
            add_host(session, time.time(), "a")
            add_host(session, time.time() - 3600, "b")
        bus.lpush(queue_of("b"), "one", "two")
        said: dict[str, Any] = {}
        wait_for(lambda: said.update(client.get("/api/v1/celery").json()) or said["is_leader"], "a leader")
        assert (said["broker"], said["fault"]) == (True, "")
        assert [(one["host"], one["alive"], one["num_waiting"]) for one in said["queues"]] == [
            ("a", True, 0),
            ("b", False, 2),
        ]
        assert (said["num_workers_alive"], said["num_tasks_waiting"]) == (1, 2)
        assert (said["num_messages_waiting"], said["most_messages"]) == (0, MOST_STREAM_ENTRIES)
        assert said["memory_bytes"] > 0
        assert said["leader"].endswith(f"/{os.getpid()}")


def test_a_broker_that_is_away_is_said_with_its_reason(client: TestClient) -> None:
    said = client.get("/api/v1/celery").json()
    assert not said["broker"]
    assert "valkey.sock" in said["fault"]
    assert (said["num_workers_alive"], said["last_heard_at"], said["queues"]) == (0, None, [])
