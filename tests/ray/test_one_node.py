"""The launcher for Ray on a real cluster of one node, with the fake engine: every way in which an attempt can end."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.ray.cluster import QUIET, ROOT, OneNode
from tests.ray.conftest import NUM_CPUS
from tests.support.processes import command_of
from tests.support.waiting import wait_for
from tests.worker.orders import FOR_EVER, order
from tunedeck.bus import ExitReport
from tunedeck.run_folder import RunFolder
from worker.claim import claim
from worker.launchers.ray.cluster_watch import ClusterWatch

pytestmark = pytest.mark.slow


class Run:
    """An attempt of two ranks on two bundles, under a real supervisor. Ray may put both on the one node."""

    def __init__(self, cluster: OneNode, folder: Path, behaviour: str, num_steps: int, num_cpus: int = 1) -> None:
        self.folder = RunFolder.of(folder, "job", 1)
        assert claim(self.folder, order(behaviour, num_steps))
        command = [sys.executable, "-m", "worker.supervisor", str(self.folder.root)]
        command += ["--engine-module", "tests.worker.fake_engine", "--device", "cpu", "--threads-per-process", "1"]
        command += ["--num-processes", str(2 * num_cpus), "--num-nodes", "2", "--stop-grace-s", "20"]
        command += ["--distributed-timeout-s", "3", "--launcher", "ray", "--ray-address", cluster.address]
        self.supervisor = subprocess.Popen(command, stdin=subprocess.PIPE, env={**os.environ, **QUIET}, cwd=ROOT)

    def log(self) -> str:
        return self.folder.engine_log.read_text() if self.folder.engine_log.exists() else ""

    def report(self) -> ExitReport:
        assert self.supervisor.wait(120) == 0
        return ExitReport.model_validate_json(self.folder.exit_report.read_bytes())

    def processes(self) -> list[psutil.Process]:
        """Of the attempt, anywhere on this machine, but for the supervisor."""
        mine = str(self.folder.root)
        return [each for each in psutil.process_iter() if mine in command_of(each) and each.pid != self.supervisor.pid]

    def has_begun(self) -> bool:
        return self.folder.events.exists() and self.folder.events.stat().st_size > 0


@pytest.fixture
def started() -> Iterator[list[Run]]:
    """Runs that are ended after the test, whatever became of them."""
    runs: list[Run] = []
    yield runs
    for run in runs:
        assert run.supervisor.stdin is not None
        run.supervisor.stdin.close()
        run.supervisor.wait(60)


def test_a_request_to_stop_reaches_the_ranks_and_all_they_print_is_in_one_log(
    one_node: OneNode, tmp_path: Path, started: list[Run]
) -> None:
    started.append(run := Run(one_node, tmp_path, "together", FOR_EVER))
    wait_for(run.has_begun, "the first event")
    run.folder.stop_request.touch()
    report = run.report()
    assert (report.outcome, report.code, report.returncode) == ("stopped", "", 0), run.log()
    assert "ray: runs on " in run.log()
    assert "rank 1 of 2 has begun" in run.log()
    assert not run.folder.waiting.exists()
    wait_for(lambda: run.processes() == [], "the end of what the run had started")


def test_a_lost_agent_ends_the_others_and_is_told_as_a_lost_host(
    one_node: OneNode, tmp_path: Path, started: list[Run]
) -> None:
    started.append(run := Run(one_node, tmp_path, "together", FOR_EVER))
    wait_for(run.has_begun, "the first event")
    wait_for(lambda: "rank 1 of 2 has begun" in run.log(), "the other rank")
    agent = next(each.parent() for each in run.processes() if "worker.launchers.node" in command_of(each))
    assert agent is not None
    agent.kill()
    report = run.report()
    assert (report.outcome, report.code) == ("failed", "host_lost"), run.log()
    assert "was lost" in report.message
    wait_for(lambda: run.processes() == [], "the end of what the run had started")


def test_what_ray_cannot_grant_now_waits_in_its_queue_until_nobody_wants_it(
    one_node: OneNode, tmp_path: Path, started: list[Run]
) -> None:
    started.append(run := Run(one_node, tmp_path, "together", FOR_EVER, num_cpus=4))
    wait_for(lambda: "waits in Ray's queue" in run.log(), "the wait")
    assert run.folder.waiting_for() == "in Ray's queue"
    assert "for 2 nodes with 4 CPU each; alive: " in run.log()
    run.folder.stop_request.touch()
    report = run.report()
    assert (report.outcome, report.message) == ("stopped", "stopped before the engine was started")
    assert run.folder.waiting_for() == ""


@pytest.mark.nodes
def test_the_watchdog_sees_a_rank_that_hangs_and_has_its_stacks_written(
    one_node: OneNode, tmp_path: Path, started: list[Run]
) -> None:
    started.append(run := Run(one_node, tmp_path, "stopped", FOR_EVER))
    report = run.report()
    assert (report.outcome, report.code, report.scene.rank) == ("failed", "rank_hung", 0), run.log()
    assert "the stacks of all threads" in run.log()


@pytest.mark.nodes
def test_a_killed_supervisor_takes_the_ranks_of_every_node_along(
    one_node: OneNode, tmp_path: Path, started: list[Run]
) -> None:
    started.append(run := Run(one_node, tmp_path, "together", FOR_EVER))
    wait_for(lambda: run.has_begun() and "rank 1 of 2 has begun" in run.log(), "both ranks")
    assert len(run.processes()) > 4
    run.supervisor.kill()
    wait_for(lambda: run.processes() == [], "the end of all processes")


def test_a_worker_speaks_for_the_cluster(one_node: OneNode) -> None:
    watch = ClusterWatch(one_node.address, "ray")
    try:
        wait_for(watch.facts, "what the cluster has")
        facts = watch.facts()
        assert facts is not None
        assert (facts.name, facts.launcher, facts.kind, facts.num_devices_of_nodes) == (
            "ray",
            "ray",
            "cpu",
            (NUM_CPUS,),
        )
    finally:
        watch.stop()


@pytest.mark.nodes
def test_a_lost_cluster_is_told_as_a_lost_host(tmp_path: Path, started: list[Run]) -> None:
    with OneNode(num_cpus=2) as cluster:
        started.append(run := Run(cluster, tmp_path, "together", FOR_EVER))
        wait_for(run.has_begun, "the first event")
    report = run.report()
    assert (report.outcome, report.code) == ("failed", "host_lost"), run.log()
    wait_for(lambda: run.processes() == [], "the end of all processes")
