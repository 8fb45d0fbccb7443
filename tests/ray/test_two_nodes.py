"""A service, a Ray cluster of two hosts with addresses of their own, and the real engine over both: a host loses its
power, the job waits for it with all it had, and goes on when the host is back."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from bench.deployment import Deployment, deployment
from tests.ray.cluster import Cluster
from tests.support.processes import command_of
from tests.support.waiting import wait_for
from tunedeck.client import Client
from tunedeck.demo import assets
from tunedeck.lifecycle import JobState

pytestmark = [pytest.mark.nodes, pytest.mark.slow, pytest.mark.timeout(900)]
PATIENCE_S = 240.0
SAVE_INTERVAL = 10


@pytest.fixture
def service(two_nodes: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Deployment]:
    """Bus and backend on this host; the worker, which speaks for the cluster, on its head node."""
    monkeypatch.setenv("TUNEDECK_LAUNCHER", "ray")
    monkeypatch.setenv("TUNEDECK_RAY_ADDRESS", two_nodes.head)
    with deployment(tmp_path, "worker.engine", tuple(two_nodes.on(two_nodes.nodes[0]))) as made:
        yield made


def submit(client: Client, **changes: object) -> str:
    spec = assets.demo_spec().model_dump(mode="json", exclude_unset=True)
    batching = {"train_iters": 100_000, "num_epoch": None, "global_batch_size": 8}
    resources = {"launcher": "ray", "num_devices": 2, "num_nodes": 2}
    checkpointing = {"save_interval": SAVE_INTERVAL, "export_hf": False}
    changed = {"batching": spec.get("batching", {}) | batching, "resources": resources, "checkpointing": checkpointing}
    return client.submit(spec | changed | changes).id


def log_of(client: Client, job_id: str) -> str:
    return "\n".join(client.logs(job_id).lines)


def processes_in(folder: Path) -> list[psutil.Process]:
    """Everything of an attempt, on whichever node; their process ids can be seen from this host."""
    return [each for each in psutil.process_iter() if any(str(folder) in word for word in command_of(each))]


def test_a_job_over_two_hosts_outlives_the_loss_of_one(two_nodes: Cluster, service: Deployment) -> None:
    head, other = two_nodes.nodes
    with service.client() as client:
        assert client.hosts()[0].facts.num_devices_of_nodes == (1, 1)
        job_id = submit(client)
        wait_for(lambda: client.checkpoints(job_id), "a checkpoint", PATIENCE_S)
        assert set(re.findall(r"ray: runs on (\S+), (\S+)", log_of(client, job_id))[0]) == {head.address, other.address}
        two_nodes.kill(other)
        wait_for(lambda: client.job(job_id).attempt == 2, "the second attempt", PATIENCE_S)
        transitions = [each.why for each in client.job(job_id).transitions]
        assert any(f"the node {other.address} was lost" in why for why in transitions), transitions
        wait_for(lambda: client.job(job_id).phase == "in Ray's queue", "the wait for the host", PATIENCE_S)
        assert client.job(job_id).state == JobState.STARTING
        wait_for(lambda: f"alive: {head.address}" in log_of(client, job_id), "what it waits for", PATIENCE_S)
        assert "for 2 different nodes with 1 CPU each" in log_of(client, job_id)
        step = client.job(job_id).step
        two_nodes.start(other)
        wait_for(lambda: client.job(job_id).state == JobState.RUNNING, "the job to go on", PATIENCE_S)
        wait_for(lambda: client.job(job_id).step > step, "a step that is new", PATIENCE_S)
        client.cancel(job_id)
        wait_for(lambda: client.job(job_id).state == JobState.CANCELLED, "the last checkpoint", PATIENCE_S)
        assert client.checkpoints(job_id)[0].attempt == 2
    wait_for(lambda: not processes_in(service.settings.data_dir / "runs"), "the end of all ranks")
