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
def service(
    two_nodes: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[Deployment]:
    """Bus and backend on this host; the worker, which speaks for the cluster, on its head node."""
    monkeypatch.setenv("TUNEDECK_LAUNCHER", "ray")
    monkeypatch.setenv("TUNEDECK_RAY_ADDRESS", two_nodes.head)
    with deployment(tmp_path, request.param, tuple(two_nodes.on(two_nodes.nodes[0]))) as made:
        yield made


def submit(client: Client, name: str, **resources: int) -> str:
    """A job that goes on until somebody ends it."""
    spec = assets.demo_spec().model_dump(mode="json", exclude_unset=True)
    endless = {"train_iters": 100_000, "num_epoch": None, "global_batch_size": 8}
    changed = {
        "name": name,
        "batching": spec.get("batching", {}) | endless,
        "resources": {"launcher": "ray", **resources},
        "checkpointing": {"save_interval": SAVE_INTERVAL, "export_hf": False},
    }
    return client.submit(spec | changed).id


def nodes_of(client: Client, job_id: str) -> list[str]:
    """Where its newest attempt runs; none while it waits."""
    found = re.findall(r"ray: runs on (.+)", log_of(client, job_id))
    return sorted(found[-1].split(", ")) if found else []


def log_of(client: Client, job_id: str) -> str:
    return "\n".join(client.logs(job_id).lines)


def processes_in(folder: Path) -> list[psutil.Process]:
    """Everything of an attempt, on whichever node; their process ids can be seen from this host."""
    return [each for each in psutil.process_iter() if any(str(folder) in word for word in command_of(each))]


@pytest.mark.parametrize("service", ["worker.engine"], indirect=True)
def test_a_job_over_two_hosts_outlives_the_loss_of_one(two_nodes: Cluster, service: Deployment) -> None:
    head, other = two_nodes.nodes
    with service.client() as client:
        assert client.hosts()[0].facts.num_devices_of_nodes == (1, 1)
        job_id = submit(client, "over-both", num_devices=2, num_nodes=2)
        wait_for(lambda: client.checkpoints(job_id), "a checkpoint", PATIENCE_S)
        assert nodes_of(client, job_id) == [head.address, other.address]
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


@pytest.mark.parametrize("service", ["tests.worker.fake_engine"], indirect=True)
def test_a_job_moves_to_a_host_that_is_left_as_soon_as_there_is_room(two_nodes: Cluster, service: Deployment) -> None:
    head, other = two_nodes.nodes
    with service.client() as client:
        jobs = [submit(client, "plain", num_devices=1) for _ in two_nodes.nodes]
        wait_for(lambda: all(nodes_of(client, job_id) for job_id in jobs), "both jobs to run", PATIENCE_S)
        [on_head], [on_other] = ([job for job in jobs if nodes_of(client, job) == [n.address]] for n in (head, other))
        other.kill()
        wait_for(lambda: client.job(on_other).phase == "in Ray's queue", "the wait for room", PATIENCE_S)
        assert client.job(on_other).attempt == 2
        client.cancel(on_head)
        wait_for(lambda: nodes_of(client, on_other) == [head.address], "the job to move", PATIENCE_S)
        client.cancel(on_other)
        wait_for(lambda: client.job(on_other).state == JobState.CANCELLED, "the end", PATIENCE_S)
    wait_for(lambda: not processes_in(service.settings.data_dir / "runs"), "the end of all ranks")
