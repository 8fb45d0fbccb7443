"""What the queue tells those who wait, and what can be done with hosts."""

from __future__ import annotations

import time
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy.orm import Session

from backend.db.database import Database
from backend.scheduler.reasons import short_name
from tests.support.jobs import add_attempt, add_host, add_job


@pytest.fixture
def stored(client: TestClient) -> Database:
    """The database of a backend without a bus: it never places anything by itself."""
    database: Database = client.app.state.services.database  # type: ignore[attr-defined]
    return database


def waiting(client: TestClient) -> dict[str, dict[str, Any]]:
    """By name of the job."""
    return {item["name"]: item for item in client.get("/api/v1/queue").json()["items"]}


def add_training(session: Session, now: float, name: str, host: str, num_devices: int, steps_left: int | None) -> str:
    """A job that trains with a second a step; None: it has not timed a step yet."""
    timed = {"step": 100 - steps_left, "step_time_ema_s": 1.0} if steps_left is not None else {}
    job = add_job(session, now, "cuda", num_devices, name=name, state="running", attempt=1, **timed)
    add_attempt(session, job.id, 1, now, host=host, num_devices=num_devices)
    return job.id


def test_a_job_is_told_what_it_needs_what_is_free_and_when_it_may_start(client: TestClient, stored: Database) -> None:
    now = time.time()
    with stored.writing() as session:
        add_host(session, now + 60, name="gpu-1", num_devices=8, device="NVIDIA H200")
        add_training(session, now, "short", "gpu-1", 4, steps_left=60)
        add_training(session, now, "long", "gpu-1", 2, steps_left=None)
        add_job(session, now, "cuda", 6, name="head")
        add_job(session, now, "cuda", 4, name="next")
        add_job(session, now, "cuda", 2, name="small")
        add_job(session, now, "cuda", 16, name="huge")
    told = waiting(client)
    assert [item["position"] for item in told.values()] == [1, 2, 3, 4]
    assert told["head"]["why"] == (
        "needs 6 × H200 on one host; it is next, 2 free on gpu-1, which is kept for it; waits for short to end"
    )
    assert told["head"]["expected_host"] == "gpu-1"
    assert told["head"]["expected_start_at"] == pytest.approx(now + 60, abs=5)
    assert told["next"]["why"] == "needs 4 × H200 on one host; 2 free on gpu-1"
    assert told["next"]["expected_start_at"] is None
    assert told["small"]["why"] == (
        "needs 2 × H200 on one host; 2 free on gpu-1, but kept for head, which is before it"
    )
    assert told["small"]["expected_start_at"] is None
    assert told["head"]["why"] in client.get("/cluster").text
    assert told["huge"]["why"] == ("needs 16 × H200 on one host; gpu-1, the largest host that takes jobs, has 8")


def test_where_no_host_takes_jobs_it_says_which_ones_do_not_and_why(client: TestClient, stored: Database) -> None:
    now = time.time()
    with stored.writing() as session:
        add_host(session, now + 60, name="gpu-1")
        add_host(session, now - 3600, name="gpu-2")
        add_job(session, now, "cuda", 1, name="gpu-job")
        add_job(session, now, "cpu", 2, name="cpu-job")
    assert client.post("/api/v1/hosts/gpu-1/drain", json={"why": "new driver"}).status_code == 200
    told = waiting(client)
    assert told["gpu-job"]["why"] == "needs 1 × GPU; no such host takes jobs: gpu-1 is drained, gpu-2 is silent"
    assert told["cpu-job"]["why"] == "needs a host with 2 cores for itself; no such host has joined"


def test_a_drained_host_says_by_whom_and_why_until_it_is_taken_back(client: TestClient, stored: Database) -> None:
    now = time.time()
    with stored.writing() as session:
        add_host(session, now + 60, name="gpu-1", num_devices=8)
        running = add_training(session, now, "running", "gpu-1", 3, steps_left=10)
    drained = client.post("/api/v1/hosts/gpu-1/drain", json={"why": "new driver"}).json()
    assert (drained["drained"]["by"], drained["drained"]["why"]) == ("first", "new driver")
    assert (drained["num_free"], drained["jobs"]) == (0, [running])
    again = client.post("/api/v1/hosts/gpu-1/drain", json={}).json()
    assert again["drained"] == drained["drained"]
    back = client.post("/api/v1/hosts/gpu-1/undrain").json()
    assert (back["drained"], back["num_free"]) == (None, 5)
    assert client.post("/api/v1/hosts/nowhere/drain", json={}).json()["error"]["code"] == "not_found"


def test_draining_with_pause_sends_what_runs_there_back_to_the_queue(client: TestClient, stored: Database) -> None:
    now = time.time()
    with stored.writing() as session:
        add_host(session, now + 60, name="gpu-1")
        running = add_training(session, now, "running", "gpu-1", 3, steps_left=10)
    client.post("/api/v1/hosts/gpu-1/drain", json={"pause": True})
    job = client.get(f"/api/v1/jobs/{running}").json()
    assert (job["state"], job["transitions"][-1]["why"]) == ("pausing", "gpu-1 is drained")


def test_the_name_by_which_people_call_a_gpu() -> None:
    names = ("NVIDIA H200", "NVIDIA H100 80GB HBM3", "NVIDIA A100-SXM4-80GB", "NVIDIA GeForce RTX 4090")
    assert [short_name(name) for name in names] == ["H200", "H100", "A100", "GeForce RTX 4090"]
