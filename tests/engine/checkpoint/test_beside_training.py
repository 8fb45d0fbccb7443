"""Checkpoints that are written while training goes on: what they hold, when they can be seen, and how they fail."""

from __future__ import annotations

import os
import random
import resource
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.engine.tiny import events, losses, resolved_spec, start, train_here
from tunedeck.errors import CheckpointFailed, CheckpointUnreadable, Conflict, DiskFull, TunedeckError
from tunedeck.resolved import ResolvedSpec
from tunedeck.run_folder import RunFolder
from worker.engine.attempt import Attempt
from worker.engine.checkpoint import write
from worker.engine.checkpoint.host_copy import HostCopy
from worker.engine.checkpoint.writer_process import WriterProcess
from worker.engine.event_log import EventLog
from worker.engine.platform import shutdown_parallel
from worker.engine.training.run import train


def spec(model: Path, data: Path, *, async_save: bool = True, train_iters: int = 12) -> ResolvedSpec:
    return resolved_spec(
        model,
        data,
        data={"num_validation_rows": 0},
        batching={"train_iters": train_iters},
        checkpointing={"save_interval": 5, "keep_last": 1, "async_save": async_save},
    )


Writers = list[subprocess.Popen[bytes]]


@pytest.fixture
def writers(monkeypatch: pytest.MonkeyPatch) -> Writers:
    """The processes beside the trainings of this test, stopped as long as nobody lets them go on."""
    started: Writers = []

    class Stopped(WriterProcess):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            os.kill(self.process.pid, signal.SIGSTOP)
            started.append(self.process)

    monkeypatch.setattr(write, "WriterProcess", Stopped)
    return started


class LooksAtTheFolder(EventLog):
    """Notes at each step which checkpoints can be seen, and lets the writer go on after step 8."""

    def __init__(self, folder: Path, writers: Writers) -> None:
        super().__init__(folder / "events.jsonl")
        self.folder = folder
        self.writers = writers
        self.seen: dict[int, list[str]] = {}

    def step(self, step: int, metrics: Mapping[str, float]) -> None:
        super().step(step, metrics)
        self.seen[step] = sorted(path.name for path in (self.folder / "checkpoints").glob("iter_*"))
        if step == 8:
            os.kill(self.writers[0].pid, signal.SIGCONT)


def test_a_checkpoint_holds_the_state_of_its_step_however_long_its_writing_takes(
    tiny_qwen3: Path, sums: Path, tmp_path: Path, writers: Writers
) -> None:
    folder = tmp_path / "first"
    (folder / "control").mkdir(parents=True)
    wanted = spec(tiny_qwen3, sums)
    with LooksAtTheFolder(folder, writers) as log:
        assert train(Attempt(wanted, RunFolder(folder), None, log)) == "succeeded"
    assert all(log.seen[step] == [] for step in range(1, 9))
    told = [(event["kind"], event["step"]) for event in events(folder) if "checkpoint" in event["kind"]]
    assert told == [
        *(("checkpoint", 5), ("checkpoint", 10), ("checkpoint_removed", 5)),
        *(("checkpoint", 12), ("checkpoint_removed", 10)),
    ]
    assert [path.name for path in (folder / "checkpoints").iterdir()] == ["iter_0000012"]
    assert [writer.returncode for writer in writers] == [-signal.SIGKILL], (
        "one process for all checkpoints, and it ends"
    )


@pytest.mark.parametrize("use_distributed_optimizer", [True, False])
def test_a_run_goes_on_bit_for_bit_from_a_checkpoint_that_was_written_beside_it(
    tiny_qwen3: Path, sums: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, use_distributed_optimizer: bool
) -> None:
    finish = HostCopy.finish

    def copy_late(copy: HostCopy) -> None:
        time.sleep(0.3)  # without a wait some updates would be done meanwhile
        finish(copy)

    monkeypatch.setattr(HostCopy, "finish", copy_late)
    changes: dict[str, Any] = {"parallelism": {"use_distributed_optimizer": use_distributed_optimizer}}
    wanted = resolved_spec(
        tiny_qwen3,
        sums,
        batching={"train_iters": 12},
        checkpointing={"save_interval": 4, "async_save": True},
        **changes,
    )
    train_here(wanted, tmp_path / "first")
    # The second checkpoint is the first whose plan is that of the one before.
    train_here(wanted, tmp_path / "second", tmp_path / "first" / "checkpoints" / "iter_0000008")
    assert losses(tmp_path / "second") == losses(tmp_path / "first")[8:]


def test_a_run_that_is_killed_again_and_again_draws_the_curve_of_an_unbroken_one(
    tiny_qwen3: Path, sums: Path, tmp_path: Path
) -> None:
    num_kills, seed = 3, random.SystemRandom().randrange(2**32)
    print(f"the moments of the kills come from seed {seed}")
    wanted = resolved_spec(
        tiny_qwen3, sums, batching={"train_iters": 24}, checkpointing={"save_interval": 2, "async_save": True}
    )
    (tmp_path / "spec.json").write_text(wanted.model_dump_json())
    arguments = (str(tmp_path / "spec.json"), str(tmp_path), str(num_kills), str(seed))
    process = start(1, "tests.engine.training.killed_at_random", *arguments)
    try:
        output, _ = process.communicate(timeout=200)
    finally:
        process.kill()
    assert process.returncode == 0, output
    unbroken = {event["step"]: event["metrics"] for event in events(tmp_path / "unbroken", "step")}
    first_steps, done = [], set()
    for attempt in range(1, num_kills + 2):
        steps = events(tmp_path / str(attempt), "step")
        first_steps.append(steps[0]["step"])
        for event in steps:
            done.add(event["step"])
            for name in ("loss", "grad_norm", "lr", "num_tokens", "num_trained_tokens"):
                assert event["metrics"][name] == unbroken[event["step"]][name], (seed, attempt, event["step"], name)
    assert first_steps[0] == 1
    assert first_steps[-1] > 1, "it never went on from a checkpoint"
    assert done == set(range(1, 25))
    assert (
        events(tmp_path / str(num_kills + 1), "eval")[-1]["metrics"]
        == events(tmp_path / "unbroken", "eval")[-1]["metrics"]
    )


class AfterTheFirst(EventLog):
    """Does something when the first checkpoint is complete."""

    def __init__(self, path: Path, deed: Callable[[], None]) -> None:
        super().__init__(path)
        self.deed = deed

    def checkpoint(self, step: int, path: str, size_bytes: int, format_: str) -> None:
        super().checkpoint(step, path, size_bytes, format_)
        if step == 5:
            self.deed()


def fails_after_the_first(
    wanted: ResolvedSpec, folder: Path, deed: Callable[[], None], kind: type[TunedeckError]
) -> TunedeckError:
    (folder / "control").mkdir(parents=True)
    try:
        with pytest.raises(kind) as caught, AfterTheFirst(folder / "events.jsonl", deed) as log:
            train(Attempt(wanted, RunFolder(folder), None, log))
    finally:
        shutdown_parallel()
    assert [path.name for path in (folder / "checkpoints").glob("iter_*")] == ["iter_0000005"]
    return caught.value


@pytest.fixture
def going(writers: Writers, monkeypatch: pytest.MonkeyPatch) -> Writers:
    """Writers that are not stopped."""
    monkeypatch.setattr(os, "kill", lambda pid, number, kill=os.kill: number == signal.SIGSTOP or kill(pid, number))
    return writers


def test_a_writer_that_is_killed_ends_the_run_and_leaves_the_checkpoint_before(
    tiny_qwen3: Path, sums: Path, tmp_path: Path, going: Writers
) -> None:
    error = fails_after_the_first(spec(tiny_qwen3, sums), tmp_path / "run", lambda: going[0].kill(), CheckpointFailed)
    assert "iter_0000010 could not be written" in error.message
    assert "SIGKILL" in error.message
    train_here(spec(tiny_qwen3, sums), tmp_path / "again", tmp_path / "run" / "checkpoints" / "iter_0000005")


@pytest.mark.parametrize("async_save", [True, False])
def test_a_disk_that_is_full_ends_the_run_and_leaves_the_checkpoint_before(
    tiny_qwen3: Path, sums: Path, tmp_path: Path, going: Writers, async_save: bool
) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def leave_little_space() -> None:
        process = going[0].pid if async_save else os.getpid()
        resource.prlimit(process, resource.RLIMIT_FSIZE, (100_000, before[1]))

    try:
        wanted = spec(tiny_qwen3, sums, async_save=async_save)
        error = fails_after_the_first(wanted, tmp_path, leave_little_space, DiskFull)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert "No space left on device" in error.message


def cut_short(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1000])


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("__0_0.distcp", cut_short),
        ("__0_0.distcp", Path.unlink),
        (".metadata", cut_short),
        ("common.pt", cut_short),
    ],
)
def test_a_damaged_checkpoint_is_named(
    tiny_qwen3: Path, sums: Path, tmp_path: Path, whole_checkpoint: Path, name: str, damage: Any
) -> None:
    checkpoint = tmp_path / "iter_0000005"
    checkpoint.mkdir()
    for file in whole_checkpoint.iterdir():
        (checkpoint / file.name).write_bytes(file.read_bytes())
    damage(checkpoint / name)
    with pytest.raises(CheckpointUnreadable, match="iter_0000005 cannot be read") as caught:
        train_here(spec(tiny_qwen3, sums), tmp_path / "run", checkpoint)
    assert caught.value.mend


def test_a_checkpoint_of_the_other_form_of_optimizer_is_refused_by_name(
    tiny_qwen3: Path, sums: Path, tmp_path: Path, whole_checkpoint: Path
) -> None:
    other = resolved_spec(tiny_qwen3, sums, parallelism={"use_distributed_optimizer": False})
    with pytest.raises(Conflict, match="was written with use_distributed_optimizer = True"):
        train_here(other, tmp_path, whole_checkpoint)


@pytest.fixture(scope="module")
def whole_checkpoint(tiny_qwen3: Path, sums: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole-checkpoint")
    train_here(spec(tiny_qwen3, sums, train_iters=5), folder)
    return folder / "checkpoints" / "iter_0000005"
