"""The bus may go away and may forget; the files of the run folder may not."""

from __future__ import annotations

import time

import pytest
import redis

from tests.support.valkey import ValkeyServer
from tests.worker.backend_stand_in import BackendStandIn
from tests.worker.orders import order
from tests.worker.worker_process import WorkerProcess, wait_until


def _seqs(backend: BackendStandIn, num_steps: int) -> list[int]:
    return [event["seq"] for event in backend.events(order("plain", num_steps))]


def test_a_bus_that_lost_all_its_data_gets_every_event_after_its_restart(
    worker: WorkerProcess, backend: BackendStandIn, valkey: ValkeyServer
) -> None:
    num_steps = 400
    job = order("plain", num_steps)
    backend.begin(job)
    backend.read_until(lambda: len(backend.events(job)) > 50)
    # Published, but not read by the backend when the bus dies: only the file still has them.
    time.sleep(0.3)
    valkey.kill(lose_data=True)
    time.sleep(0.5)
    valkey.start()
    backend.write_control(job)
    backend.read_until(lambda: backend.ends(job))
    assert _seqs(backend, num_steps) == list(range(1, num_steps + 3))
    assert list(backend.log_lines(job).values()) == [f"step {step} of {num_steps}" for step in range(1, num_steps + 1)]


def test_a_bus_that_kept_its_data_gets_no_event_twice(
    worker: WorkerProcess, backend: BackendStandIn, valkey: ValkeyServer
) -> None:
    num_steps = 400
    job = order("plain", num_steps)
    backend.begin(job)
    backend.read_until(lambda: len(backend.events(job)) > 50)
    time.sleep(1.2)  # longer than the second that appendfsync everysec may lose
    valkey.kill(lose_data=False)
    valkey.start()
    backend.read_until(lambda: backend.ends(job))
    assert _seqs(backend, num_steps) == list(range(1, num_steps + 3))


def test_a_bus_that_loses_the_end_gets_it_again(
    worker: WorkerProcess, backend: BackendStandIn, valkey: ValkeyServer
) -> None:
    job = order("plain", 20)
    backend.begin(job)
    # Nobody reads: the end waits in the stream, and is lost with it.
    deadline = time.monotonic() + 10
    while '"kind":"ended"' not in str(backend.bus.xrange("tunedeck:events")):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    valkey.kill(lose_data=True)
    valkey.start()
    backend.write_control(job)
    backend.read_until(lambda: backend.ends(job))
    assert _seqs(backend, 20) == list(range(1, 23))
    backend.read_until(lambda: backend.hellos()[-1].attempts == ())


def test_the_processes_do_not_wait_for_a_bus_that_is_away(
    worker: WorkerProcess, backend: BackendStandIn, valkey: ValkeyServer
) -> None:
    job = order("plain", 200)
    backend.begin(job)
    backend.read_until(lambda: backend.events(job))
    valkey.kill(lose_data=False)
    wait_until(lambda: not worker.engines())
    valkey.start()
    backend.read_until(lambda: backend.ends(job))
    assert backend.ends(job)[0].report.outcome == "succeeded"
    assert _seqs(backend, 200) == list(range(1, 203))


def test_a_worker_outlives_a_bus_that_refuses_writes(
    worker: WorkerProcess, backend: BackendStandIn, valkey: ValkeyServer
) -> None:
    before = order("plain", 5, job_id="job0")
    backend.begin(before)
    backend.read_until(lambda: backend.ends(before))
    # What Valkey does while its disk is full, it does on demand while a replica is missing.
    client = valkey.client()
    client.config_set("min-replicas-to-write", 1)
    with pytest.raises(redis.ResponseError):
        client.set("x", "1")
    time.sleep(2.5)  # the worker asks for messages every second
    assert worker.process.poll() is None
    client.config_set("min-replicas-to-write", 0)
    job = order("plain", 5)
    backend.begin(job)
    backend.read_until(lambda: backend.ends(job))
    assert [event["seq"] for event in backend.events(job)] == list(range(1, 8))
