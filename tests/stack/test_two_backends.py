"""Two backends on one database and one bus: one leads, any may be asked, and the death of the leader loses nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.browser.scripted_worker import ScriptedAttempt, ScriptedWorker
from tests.browser.service import BusAndBackend
from tests.support.backend import write_dataset, write_model
from tests.support.waiting import wait_for
from tunedeck.client import Client

NUM_JOBS = 10


@pytest.fixture
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BusAndBackend]:
    """The first of the two backends, with a model and a data set. It leads, because nobody else is there."""
    running = BusAndBackend(tmp_path_factory.mktemp("d"))
    try:
        running.start()
        with running.client() as client:
            client.add_model("tiny", write_model(running.settings.models_dir / "tiny"))
            client.add_dataset("chats", write_dataset(running.settings.datasets_dir / "chats.jsonl"))
        yield running
    finally:
        running.stop()


def spec(name: str) -> dict[str, Any]:
    return {"name": name, "model": "tiny", "dataset": "chats", "batching": {"global_batch_size": 4, "train_iters": 300}}


def placings(client: Client, job_id: str) -> int:
    return [line.to_state for line in client.job(job_id).transitions].count("placing")


def test_the_death_of_the_leader_costs_no_job_and_no_step(service: BusAndBackend) -> None:
    worker = ScriptedWorker(service.settings.resolved_redis_url())
    try:
        with service.client() as first, Client(service.start_second_backend(), service.token) as second:
            wait_for(lambda: second.hosts(), "the host")
            run = ScriptedAttempt(worker, second, second.submit(spec("asked-of-the-second")).id)
            run.begin(300)
            run.steps(20)
            wait_for(lambda: second.job(run.job_id).step == 20, "the steps, ingested by the first")
            both = [(first, second)[number % 2].submit(spec(f"job-{number}")).id for number in range(NUM_JOBS)]
            wait_for(lambda: all(second.job(job_id).attempt for job_id in both), "the placement of all")
            service.kill_backend()
            run.steps(20)
            after = second.submit(spec("after-the-death")).id
            wait_for(lambda: second.job(run.job_id).step == 40, "the steps, ingested by the second", 30)
            wait_for(lambda: second.job(after).attempt == 1, "a placement by the second", 30)
            assert second.metrics(run.job_id, ("loss",)).series["loss"].steps == tuple(range(1, 41))
            assert [placings(second, job_id) for job_id in (run.job_id, *both, after)] == [1] * (NUM_JOBS + 2)
            service.start_backend()
            run.succeed()
            wait_for(lambda: first.job(run.job_id).state == "succeeded", "the end, seen by the first", 30)
    finally:
        worker.close()
