"""Whatever dies, and however, no process of the attempt is left."""

from __future__ import annotations

import os
import signal

import psutil
import pytest

from tests.worker.backend_stand_in import BackendStandIn
from tests.worker.orders import FOR_EVER, order
from tests.worker.worker_process import WorkerProcess, wait_until
from tunedeck.run_folder import RunFolder
from tunedeck.settings import Settings


def _begin_family(worker: WorkerProcess, backend: BackendStandIn) -> tuple[int, list[psutil.Process]]:
    """A supervisor's process id, and all processes below it: engine, and a child in a session of its own."""
    job = order("family", FOR_EVER)
    backend.begin(job)
    backend.read_until(lambda: backend.events(job))
    [supervisor] = list(worker.running("worker.supervisor"))
    below = supervisor.children(recursive=True)
    assert len(below) == 2
    return supervisor.pid, below


def _are_gone(processes: list[psutil.Process]) -> bool:
    return not any(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in processes)


def test_kill_9_of_the_worker_leaves_no_process(worker: WorkerProcess, backend: BackendStandIn) -> None:
    supervisor, below = _begin_family(worker, backend)
    worker.process.kill()
    wait_until(lambda: _are_gone(below) and not psutil.pid_exists(supervisor))


def test_kill_9_of_the_supervisor_leaves_no_process_and_the_job_is_given_back(
    worker: WorkerProcess, backend: BackendStandIn, settings: Settings
) -> None:
    supervisor, below = _begin_family(worker, backend)
    half_done = RunFolder.of(settings.data_dir, "job1", 1).checkpoints / ".iter_0000001.partial"
    half_done.mkdir(parents=True)
    os.kill(supervisor, signal.SIGKILL)
    wait_until(lambda: _are_gone(below))
    backend.read_until(lambda: backend.ends(order("family", FOR_EVER)))
    assert backend.ends(order("family", FOR_EVER))[0].report.outcome == "fenced"
    assert not half_done.exists()


def test_a_supervisor_that_is_stopped_is_killed_with_its_tree_after_the_grace(
    worker: WorkerProcess, backend: BackendStandIn
) -> None:
    supervisor, below = _begin_family(worker, backend)
    os.kill(supervisor, signal.SIGSTOP)
    backend.write_control(order("family", FOR_EVER), desired="stop")
    backend.read_until(lambda: backend.ends(order("family", FOR_EVER)), 30)
    assert _are_gone(below)
    assert not psutil.pid_exists(supervisor)


def test_an_engine_that_ends_leaves_no_child_behind(worker: WorkerProcess, backend: BackendStandIn) -> None:
    job = order("family", FOR_EVER)
    backend.begin(job)
    backend.read_until(lambda: backend.events(job))
    children = [child for engine in worker.engines() for child in engine.children()]
    backend.write_control(job, desired="stop")
    backend.read_until(lambda: backend.ends(job))
    assert len(children) == 1
    assert _are_gone(children)


@pytest.mark.slow
def test_torchrun_and_its_ranks_end_with_a_killed_worker(worker: WorkerProcess, backend: BackendStandIn) -> None:
    job = order("family", FOR_EVER, num_devices=2)
    backend.begin(job)
    backend.read_until(lambda: backend.events(job), 60)
    [supervisor] = list(worker.running("worker.supervisor"))
    below = supervisor.children(recursive=True)
    assert len(below) >= 4  # torchrun, two ranks and the child of rank 0
    worker.process.kill()
    wait_until(lambda: _are_gone(below))
