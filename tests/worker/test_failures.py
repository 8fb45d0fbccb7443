"""The real engine under the real supervisor: how soon, and with which reason, a run ends whose ranks fail."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.engine.conftest import sums, tiny_qwen3
from tests.engine.tiny import events, resolved_spec
from tests.support.small_disk import SmallDisk
from tests.worker.orders import order
from tests.worker.worker_process import ROOT, wait_until
from tunedeck.beat import read_beat
from tunedeck.bus import ExitReport, RunAttempt
from tunedeck.resolved import ResolvedSpec
from tunedeck.run_folder import RunFolder
from worker.claim import claim
from worker.supervisor.exit_report import write_exit_report

__all__ = ["sums", "tiny_qwen3"]

pytestmark = pytest.mark.slow

HANGS_AFTER_S = 3.0
PATIENCE_S = 120.0

Begin = Callable[[ResolvedSpec, RunFolder], subprocess.Popen[bytes]]


@pytest.fixture
def begin() -> Iterator[Begin]:
    """Start the supervisor of a claimed attempt and wait for the first checkpoint of its engine."""
    started: list[subprocess.Popen[bytes]] = []

    def begin_run(spec: ResolvedSpec, folder: RunFolder) -> subprocess.Popen[bytes]:
        assert claim(folder, RunAttempt(job_id="job1", attempt=1, spec=spec, resume_from=""))
        command = [sys.executable, "-m", "worker.supervisor", str(folder.root), "--device", "cpu"]
        command += ["--num-processes", str(spec.hardware.num_devices), "--threads-per-process", "1"]
        command += ["--stop-grace-s", "5", "--distributed-timeout-s", str(HANGS_AFTER_S)]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        started.append(subprocess.Popen(command, stdin=subprocess.PIPE, env=environment, cwd=ROOT))
        wait_until(lambda: folder.events.exists() and bool(events(folder.root, "checkpoint")), PATIENCE_S)
        return started[-1]

    yield begin_run
    for process in started:
        assert process.stdin is not None
        process.stdin.close()
        process.wait(60)


def spec(model: Path, data: Path, num_devices: int, **changes: dict[str, Any]) -> ResolvedSpec:
    """A run for ever that saves every second step."""
    wanted: dict[str, dict[str, Any]] = {
        "data": {"num_validation_rows": 0},
        "batching": {"train_iters": 100_000},
        "checkpointing": {"save_interval": 2, "keep_last": 2, "async_save": True},
    }
    return resolved_spec(model, data, num_devices, **wanted | changes)


def pid_of(folder: RunFolder, rank: int) -> int:
    beat = read_beat(folder.beat(rank))
    assert beat is not None
    return beat.pid


def report_of(folder: RunFolder, process: subprocess.Popen[bytes]) -> ExitReport:
    assert process.wait(PATIENCE_S) == 0
    return ExitReport.model_validate_json(folder.exit_report.read_bytes())


def assert_last_checkpoint_is_safe(folder: RunFolder) -> None:
    told = {event["path"] for event in events(folder.root, "checkpoint")}
    kept = sorted(path.name for path in folder.checkpoints.iterdir())
    assert kept
    assert all(re.fullmatch(r"iter_\d+", name) for name in kept)
    assert (folder.root / max(told) / "metadata.json").exists()


def test_a_stopped_rank_ends_the_run_with_its_number_and_the_stacks_of_the_others(
    tiny_qwen3: Path, sums: Path, tmp_path: Path, begin: Begin
) -> None:
    folder = RunFolder(tmp_path / "run")
    process = begin(spec(tiny_qwen3, sums, 2), folder)
    os.kill(pid_of(folder, 1), signal.SIGSTOP)
    report = report_of(folder, process)
    assert (report.outcome, report.code, report.scene.rank) == ("failed", "rank_hung", 1)
    assert "rank 1 has given no sign of life for" in report.message
    assert "distributed_timeout_minutes" in report.mend
    step = events(folder.root, "step")[-1]["step"]
    assert report.scene.step in (step, step + 1)
    assert report.scene.memory_bytes is not None
    assert report.scene.memory_bytes > 0
    [told] = events(folder.root, "error")
    assert (told["code"], told["scene"]["rank"]) == ("rank_hung", 1)
    assert "most recent call first" in folder.engine_log.read_text()
    assert_last_checkpoint_is_safe(folder)


def test_a_killed_rank_ends_the_run_with_its_number_and_what_it_held(
    tiny_qwen3: Path, sums: Path, tmp_path: Path, begin: Begin
) -> None:
    folder = RunFolder(tmp_path / "run")
    process = begin(spec(tiny_qwen3, sums, 2), folder)
    os.kill(pid_of(folder, 1), signal.SIGKILL)
    report = report_of(folder, process)
    assert (report.outcome, report.code, report.scene.rank) == ("failed", "rank_lost", 1)
    assert report.message == "rank 1 was ended by signal 9 (SIGKILL)"
    assert report.scene.memory_bytes is not None
    assert_last_checkpoint_is_safe(folder)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 6 MiB of its own."""
    try:
        disk = SmallDisk(tmp_path / "disk", 6)
    except PermissionError as fault:
        pytest.skip(str(fault))
    yield disk.folder
    disk.unmount()


def test_a_full_disk_ends_the_run_and_leaves_its_last_checkpoint(
    tiny_qwen3: Path, sums: Path, small_disk: Path, begin: Begin
) -> None:
    folder = RunFolder(small_disk / "run")
    keep_all = {"save_interval": 2, "keep_last": 1000, "async_save": True}
    report = report_of(folder, begin(spec(tiny_qwen3, sums, 1, checkpointing=keep_all), folder))
    assert (report.outcome, report.code, report.scene.rank) == ("failed", "disk_full", 0)
    assert_last_checkpoint_is_safe(folder)


def test_how_a_run_ended_can_be_told_on_a_disk_without_a_free_byte(small_disk: Path) -> None:
    folder = RunFolder(small_disk / "run")
    assert claim(folder, order("plain", 1))
    with (small_disk / "filler").open("wb", buffering=0) as filler, pytest.raises(OSError, match="No space left"):
        while True:
            filler.write(bytes(4096))
    report = ExitReport(
        outcome="failed", returncode=1, code="disk_full", message="", mend="", log_tail=("x" * 1000,) * 40
    )
    write_exit_report(folder, report)
    assert ExitReport.model_validate_json(folder.exit_report.read_bytes()) == report
