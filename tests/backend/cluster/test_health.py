"""What /health and /hosts say when things are well and when they are not."""

from __future__ import annotations

import time
from collections.abc import Callable

from fastapi.testclient import TestClient

from backend.app import create_app
from tests.backend.conftest import ADDRESS
from tests.support.jobs import add_host, add_running_job
from tests.support.valkey import ValkeyServer
from tunedeck.settings import Settings


def logged_in(settings: Settings, client: TestClient) -> TestClient:
    client.headers["Authorization"] = f"Bearer {settings.token_file.read_text().strip()}"
    return client


def eventually(health: Callable[[], dict[str, object]], field: str, value: object) -> dict[str, object]:
    """The first answer in which `field` is `value`."""
    deadline = time.monotonic() + 15
    while (said := health())[field] != value:
        assert time.monotonic() < deadline, said
        time.sleep(0.05)
    return said


def test_without_a_bus_pages_work_and_health_says_what_is_missing(client: TestClient) -> None:
    said = eventually(lambda: client.get("/api/v1/health").json(), "status", "degraded")
    assert (said["database"], said["bus"]) == (True, False)
    assert any("the bus does not answer" in str(sentence) for sentence in said["detail"])  # type: ignore[attr-defined]
    assert client.get("/api/v1/jobs").status_code == 200


def test_it_is_well_with_bus_and_worker_and_again_after_the_bus_came_back(
    settings: Settings, valkey: ValkeyServer
) -> None:
    with_bus = settings.model_copy(update={"redis_url": valkey.url})
    with TestClient(create_app(with_bus), base_url=ADDRESS) as client:
        logged_in(with_bus, client)
        with client.app.state.services.database.writing() as session:  # type: ignore[attr-defined]
            add_host(session, time.time() + 3600)

        def health() -> dict[str, object]:
            said: dict[str, object] = client.get("/api/v1/health").json()
            return said

        said = eventually(health, "status", "ok")
        assert (said["num_hosts"], said["detail"]) == (1, [])
        valkey.kill(lose_data=True)
        eventually(health, "bus", False)
        valkey.start()
        eventually(health, "status", "ok")


def test_hosts_tell_who_is_alive_and_what_runs_there(client: TestClient) -> None:
    now = time.time()
    with client.app.state.services.database.writing() as session:  # type: ignore[attr-defined]
        add_host(session, now, name="alive", num_devices=8)
        add_host(session, now - 3600, name="lost", num_devices=8)
        job_id = add_running_job(session, now, host="alive").id
    hosts = {host["facts"]["name"]: host for host in client.get("/api/v1/hosts").json()["items"]}
    assert (hosts["alive"]["alive"], hosts["alive"]["jobs"]) == (True, [job_id])
    assert (hosts["lost"]["alive"], hosts["lost"]["jobs"]) == (False, [])
