"""Further hosts: workers in other folders, under other names, that know nothing but the address of the bus."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.backend import SPEC, write_dataset, write_model
from tests.support.simulated_gpus import NAME as GPU_HOST
from tests.support.up import Up, running_up
from tests.support.waiting import wait_for
from tests.worker.orders import FOR_EVER
from tunedeck.client import Client
from tunedeck.lifecycle import FINAL, JobState

ROOT = Path(__file__).parents[2]
PROGRAM = Path(sys.executable).with_name("tunedeck")
FAKE_ENGINE = ("--engine-module", "tests.worker.fake_engine")


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """A service whose bus may be joined; nothing is placed on its own host."""
    with running_up(tmp_path_factory.mktemp("s"), arguments=("--bus-listen", "127.0.0.1:0")) as running:
        with running.client() as client:
            client.drain(client.hosts()[0].facts.name)
            client.add_model("tiny", write_model(running.settings.models_dir / "tiny"))
            client.add_dataset("chats", write_dataset(running.settings.datasets_dir / "chats.jsonl"))
        yield running


@contextmanager
def joining(up: Up, folder: Path, command: Sequence[str]) -> Iterator[subprocess.Popen[str]]:
    """A process of another machine: another folder, nothing of the service in its environment but where the bus is."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TUNEDECK_")}
    env = {**kept, "PYTHONPATH": str(ROOT), "TUNEDECK_REDIS_URL": up.join_url, "TUNEDECK_HEARTBEAT_S": "0.5"}
    log = (folder / "worker.log").open("w")
    process = subprocess.Popen(command, cwd=folder, env=env, stdout=log, stderr=log, text=True)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.wait(timeout=60)
        log.close()


def submit(client: Client, name: str, num_steps: int = 3, **fields: Any) -> str:
    batching = {"global_batch_size": 4, "train_iters": num_steps}
    return client.submit(SPEC | {"name": name, "batching": batching} | fields).id


def succeeded(client: Client, job_id: str) -> str:
    """Waits for it; the id again."""
    wait_for(lambda: client.job(job_id).state in FINAL, "the end of the job")
    job = client.job(job_id)
    assert job.state == JobState.SUCCEEDED, job.fault
    return job_id


def has_host(client: Client, name: str) -> bool:
    return any(host.facts.name == name and host.alive for host in client.hosts())


def test_another_host_needs_only_the_address_of_the_bus(up: Up, tmp_path: Path) -> None:
    with up.client() as client, joining(up, tmp_path, [str(PROGRAM), "worker", "--name", "second", *FAKE_ENGINE]):
        wait_for(lambda: has_host(client, "second"), "the second host")
        job_id = succeeded(client, submit(client, "plain"))
        assert client.job(job_id).host == "second"
        assert (up.settings.data_dir / "runs" / job_id / "1" / "events.jsonl").exists()
        client.drain("second")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["worker.log"], "it has no data folder of its own"


@pytest.fixture(scope="module")
def gpus(up: Up, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A client, and a host with two simulated GPUs, one of which is set aside."""
    command = [sys.executable, "-m", "tests.support.simulated_gpus"]
    with up.client() as client, joining(up, tmp_path_factory.mktemp("gpus"), command):
        wait_for(lambda: has_host(client, GPU_HOST), "the host with GPUs")
        yield client
        client.drain(GPU_HOST)


def test_a_gpu_with_an_error_is_set_aside_and_no_process_sees_it(up: Up, gpus: Client) -> None:
    [host] = [host for host in gpus.hosts() if host.facts.name == GPU_HOST]
    assert [(device.index, device.why) for device in host.set_aside] == [(0, "1 uncorrected ECC error")]
    job_id = succeeded(gpus, submit(gpus, "environment"))
    said = (up.settings.data_dir / "runs" / job_id / "1" / "engine.log").read_text()
    assert re.search(r"^CUDA_VISIBLE_DEVICES=(.*)$", said, re.MULTILINE)[1] == "1"  # type: ignore[index]


def test_a_job_of_higher_priority_gets_the_gpu_of_one_that_goes_back_to_the_queue(gpus: Client) -> None:
    low = submit(gpus, "plain", FOR_EVER)
    wait_for(lambda: gpus.job(low).state == JobState.RUNNING, "the first step")
    urgent = succeeded(gpus, submit(gpus, "plain", queue={"priority": 5}))
    wait_for(lambda: gpus.job(low).state == JobState.RUNNING, "the other to go on")
    whys = [(step.to_state, step.why) for step in gpus.job(low).transitions]
    assert ("pausing", f"job {urgent}, of priority 5, needs its devices") in whys
    assert gpus.job(low).attempt == 2
    gpus.cancel(low)
    wait_for(lambda: gpus.job(low).state == JobState.CANCELLED, "the cancel")


def test_a_worker_with_a_wrong_password_ends_with_a_sentence(up: Up, tmp_path: Path) -> None:
    wrong = re.sub(r":[^:@/]+@", ":wrong@", up.join_url)
    with joining(up, tmp_path, [str(PROGRAM), "worker", "--join", wrong]) as process:
        assert process.wait(timeout=60) == 1
    assert "the bus refuses the password" in (tmp_path / "worker.log").read_text()
