"""Tokens, device-hours and cost of a job over all its attempts."""

from __future__ import annotations

import time

import pytest
from fastapi.testclient import TestClient

from backend.db.database import Database
from backend.db.tables.jobs import JobRow
from backend.jobs.usage import usage_of
from tests.support.jobs import add_attempt, add_job
from tunedeck.prices import KindPrice, PriceList

PRICES = "/api/v1/prices"


def test_cost_is_over_all_attempts_each_at_the_price_of_its_kind(client: TestClient) -> None:
    """4 × 2 h on H100 at 3 and 4 × 1 h on A100 at 2 are 12 GPU-hours and 32."""
    prices = {"per_gpu_hour": 2.0, "by_kind": [{"kind": "H100", "per_gpu_hour": 3.0}], "currency": "EUR"}
    database: Database = client.app.state.services.database  # type: ignore[attr-defined]
    with database.writing() as session:
        job = add_job(session, 0.0, device="cuda", num_devices=4, state="failed", attempt=2)
        spans = {1: (1000.0, 8200.0, "NVIDIA H100 80GB HBM3"), 2: (9000.0, 12600.0, "NVIDIA A100-SXM4-80GB")}
        for number, (begin, end, name) in spans.items():
            add_attempt(
                session, job.id, number, begin, ended_at=end, num_devices=4, device_name=name, memory_bytes=80 << 30
            )
    address = f"/api/v1/jobs/{job.id}"
    unpriced = client.get(address).json()
    assert unpriced["usage"] == {"device": "cuda", "device_hours": 12.0, "cost": None, "currency": "USD"}
    assert unpriced["memory_capacity_bytes"] == 80 << 30
    assert client.put(PRICES, json=prices).json() == client.get(PRICES).json() == prices
    assert client.get(address).json()["usage"] == {
        "device": "cuda",
        "device_hours": 12.0,
        "cost": 32.0,
        "currency": "EUR",
    }
    assert client.get("/api/v1/jobs").json()["items"][0]["usage"]["cost"] == 32.0


def test_a_live_attempt_counts_up_to_now_and_cores_cost_nothing(database: Database) -> None:
    now = time.time()
    with database.writing() as session:
        job = add_job(session, now, num_devices=1, state="running", attempt=1)
        add_attempt(session, job.id, 1, now - 3600.0, num_devices=4)
        [used] = usage_of(session, [session.get_one(JobRow, job.id)]).values()
    assert used.device_s == pytest.approx(4 * 3600.0, abs=60.0)
    assert used.cost == 0.0


def test_a_kind_is_found_as_a_word_of_the_name() -> None:
    prices = PriceList(per_gpu_hour=1.0, by_kind=(KindPrice(kind="L4", per_gpu_hour=0.5),))
    assert prices.of("NVIDIA L4") == 0.5
    assert prices.of("NVIDIA L40S") == 1.0


@pytest.mark.any_database
@pytest.mark.parametrize(
    "bad", [{"per_gpu_hour": -1}, {"currency": "<b>"}, {"by_kind": [{"kind": "", "per_gpu_hour": 1}]}]
)
def test_a_price_that_cannot_be_meant_is_refused(client: TestClient, bad: dict[str, object]) -> None:
    assert client.put(PRICES, json=bad).status_code == 422
    assert client.get(PRICES).json()["per_gpu_hour"] == 0.0
