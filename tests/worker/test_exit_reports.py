"""The supervisor alone, with real processes: what `exit.json` says after each kind of end."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.jobs import event_line
from tests.worker.orders import FOR_EVER, order
from tests.worker.worker_process import ROOT, wait_until
from tunedeck.bus import ExitReport
from tunedeck.fault import Fault
from tunedeck.run_folder import RunFolder
from worker.claim import claim
from worker.launchers.choice import launcher_named
from worker.launchers.launcher import Launch
from worker.launchers.local import LocalLauncher
from worker.supervisor.exit_report import exit_report
from worker.supervisor.supervise import Ended, Ending


def _start(
    folder: Path, behaviour: str, num_steps: int, num_processes: int = 1
) -> tuple[RunFolder, subprocess.Popen[bytes]]:
    run = RunFolder(folder / "run")
    assert claim(run, order(behaviour, num_steps))
    command = [sys.executable, "-m", "worker.supervisor", str(run.root), "--engine-module", "tests.worker.fake_engine"]
    command += ["--num-processes", str(num_processes), "--threads-per-process", "3", "--device", "cpu"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TUNEDECK_REDIS_URL": "redis://:secret@bus"}
    command += ["--stop-grace-s", "0.5", "--distributed-timeout-s", "2"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, env=environment, cwd=ROOT)
    return run, process


def _run(folder: Path, behaviour: str, num_steps: int = 3, num_processes: int = 1) -> ExitReport:
    run, process = _start(folder, behaviour, num_steps, num_processes)
    assert process.wait(60) == 0
    return ExitReport.model_validate_json(run.exit_report.read_bytes())


def test_a_clean_end_has_no_code(tmp_path: Path) -> None:
    report = _run(tmp_path, "plain")
    assert (report.outcome, report.returncode, report.code, report.log_tail) == ("succeeded", 0, "", ())


def test_an_engine_that_dies_without_a_word_is_told_by_its_log(tmp_path: Path) -> None:
    report = _run(tmp_path, "crash", num_steps=60)
    assert (report.outcome, report.code, report.returncode) == ("failed", "engine_failed", 7)
    assert "return code 7" in report.message
    assert len(report.log_tail) == 40
    assert report.log_tail[-2:] == ("step 60 of 60", "Traceback: something went wrong")


def test_what_the_engine_says_of_its_end_is_handed_on(tmp_path: Path) -> None:
    report = _run(tmp_path, "error")
    assert (report.outcome, report.code) == ("failed", "loss_not_finite")
    assert (report.message, report.mend) == ("the loss is NaN at step 3", "lower optimizer.lr")


def test_a_signal_is_named(tmp_path: Path) -> None:
    report = _run(tmp_path, "killed")
    assert (report.outcome, report.code, report.returncode) == ("failed", "rank_lost", -9)
    assert "signal 9 (SIGKILL)" in report.message


def test_what_a_killed_engine_left_half_done_is_removed_and_complete_checkpoints_are_kept(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run")
    complete = run.checkpoint(200)
    half_done = [
        run.checkpoints / ".iter_0000300.partial",
        run.checkpoints / ".iter_0000100.removed",
        run.root / ".export.partial",
        run.samples,
    ]
    for path in (complete, *half_done):
        path.mkdir(parents=True)
        (path / "part").write_bytes(b"x")
    assert _run(tmp_path, "killed").outcome == "failed"
    assert (complete / "part").exists()
    assert [path for path in half_done if path.exists()] == []


def test_a_signal_that_ended_a_rank_under_torchrun_is_named(tmp_path: Path) -> None:
    report = _run(tmp_path, "killed", num_processes=2)
    assert (report.outcome, report.code, report.returncode) == ("failed", "rank_lost", 1)
    assert "signal 9 (SIGKILL)" in report.message
    assert report.log_tail == ("step 1 of 3", "step 2 of 3", "step 3 of 3")


def test_a_killed_rank_is_named_rather_than_the_connection_that_broke_on_rank_0(tmp_path: Path) -> None:
    report = _run(tmp_path, "peer_killed", num_processes=2)
    assert (report.outcome, report.code, report.scene.rank) == ("failed", "rank_lost", 1)
    assert "rank 1 was ended by signal 9 (SIGKILL)" in report.message
    assert "RuntimeError: connection reset by peer" in report.log_tail
    assert not any("Sending process" in line for line in report.log_tail)


def test_an_engine_that_a_full_disk_kept_from_saying_so_is_said_to_have_met_one(tmp_path: Path) -> None:
    ended = Ended(Ending.BY_ITSELF, returncode=1, stop_grace_s=1.0, num_oom_kills=0, num_free_bytes=4096)
    report = exit_report(RunFolder(tmp_path), ended)
    assert (report.outcome, report.code) == ("failed", "disk_full")
    assert "4,096 bytes left" in report.message


def test_why_a_run_ended_early_is_handed_on(tmp_path: Path) -> None:
    (tmp_path / "events.jsonl").write_text(
        event_line("end", 1, outcome="succeeded", step=40, why="stopped early") + "\n"
    )
    ended = Ended(Ending.BY_ITSELF, returncode=0, stop_grace_s=1.0, num_oom_kills=0, num_free_bytes=1 << 40)
    report = exit_report(RunFolder(tmp_path), ended)
    assert (report.outcome, report.message) == ("succeeded", "stopped early")


def test_an_engine_that_gives_no_sign_of_life_is_ended_with_what_it_said_last(tmp_path: Path) -> None:
    report = _run(tmp_path, "stopped", num_steps=FOR_EVER)
    assert (report.outcome, report.code) == ("failed", "rank_hung")
    assert "rank 0 has given no sign of life for 2 s" in report.message
    assert (report.scene.rank, report.scene.doing, report.scene.memory_bytes) == (0, "optimizer", 1 << 30)
    assert "the stacks of all threads" in RunFolder(tmp_path / "run").engine_log.read_text()


def test_the_supervisor_alone_enforces_the_grace_of_a_stop(tmp_path: Path) -> None:
    run, process = _start(tmp_path, "stubborn", FOR_EVER)
    wait_until(lambda: run.events.exists() and run.events.stat().st_size)
    run.stop_request.touch()
    assert process.wait(15) == 0
    report = ExitReport.model_validate_json(run.exit_report.read_bytes())
    assert (report.outcome, report.returncode) == ("stopped", -9)


def test_the_end_of_its_standard_input_ends_the_tree(tmp_path: Path) -> None:
    run, process = _start(tmp_path, "plain", FOR_EVER)
    wait_until(lambda: run.events.exists() and run.events.stat().st_size)
    assert process.stdin is not None
    process.stdin.close()
    assert process.wait(15) == 0
    assert ExitReport.model_validate_json(run.exit_report.read_bytes()).outcome == "fenced"


def test_the_engine_sees_its_threads_and_none_of_the_services_secrets(tmp_path: Path) -> None:
    run, process = _start(tmp_path, "environment", 1)
    assert process.wait(15) == 0
    told = run.engine_log.read_text()
    assert "OMP_NUM_THREADS=3" in told
    assert "secret" not in told


@pytest.mark.parametrize(("resume_from", "expected"), [("", False), ("/checkpoints/iter_0000005", True)])
def test_a_checkpoint_to_resume_from_reaches_the_engine(tmp_path: Path, resume_from: str, expected: bool) -> None:
    launch = Launch(RunFolder(tmp_path), "worker.engine", 2, 1, "cuda", (1, 3), resume_from)
    assert ("--resume-from" in LocalLauncher().command(launch)) is expected
    assert "--nproc-per-node" in LocalLauncher().command(launch)


def test_gpus_are_counted_among_those_that_the_worker_sees(tmp_path: Path) -> None:
    launch = Launch(RunFolder(tmp_path), "worker.engine", 2, 1, "cuda", (1, 3), "")
    assert LocalLauncher().environment(launch, {})["CUDA_VISIBLE_DEVICES"] == "1,3"
    assert LocalLauncher().environment(launch, {"CUDA_VISIBLE_DEVICES": "4,5,6,7"})["CUDA_VISIBLE_DEVICES"] == "5,7"


def test_a_launcher_that_knows_the_reason_is_believed_before_the_ranks(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    run.launcher_fault.parent.mkdir()
    told = event_line("error", 1, code="rank_lost", message="another rank is gone", mend="")
    run.events.write_text(told + "\n" + event_line("end", 2, outcome="failed", step=4) + "\n")
    Fault(code="host_lost", message="the node 10.0.0.2 was lost", mend="").leave_at(run.launcher_fault)
    ended = Ended(Ending.BY_ITSELF, returncode=1, stop_grace_s=1.0, num_oom_kills=0, num_free_bytes=1 << 40)
    report = exit_report(run, ended)
    assert (report.outcome, report.code, report.message) == ("failed", "host_lost", "the node 10.0.0.2 was lost")


def test_the_driver_of_ray_knows_how_to_reach_its_cluster_and_none_of_the_services_secrets(tmp_path: Path) -> None:
    launch = Launch(RunFolder(tmp_path), "worker.engine", 4, 1, "cpu", (), "", num_nodes=2, is_spread=True)
    launcher = launcher_named("ray", "10.0.0.1:6379")
    given = {"PATH": "/bin", "RAY_AUTH_MODE": "token", "TUNEDECK_REDIS_URL": "redis://:secret@bus"}
    environment = launcher.environment(launch, given)
    assert environment["RAY_AUTH_MODE"] == "token"
    assert not any("secret" in value for value in environment.values())
    command = launcher.command(launch)
    assert command[-2:] == ["--address", "10.0.0.1:6379"]
    assert "--spread" in command
