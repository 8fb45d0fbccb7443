"""A device that runs behind its host is given the next step before the last one is told of; nothing else changes.

A CPU never runs behind; here it is taken for a device that does, so that the order of things is the one of a GPU.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.engine.tiny import events, losses, resolved_spec, train_here, with_broken_weight
from tunedeck.errors import LossNotFinite
from tunedeck.resolved import ResolvedSpec
from tunedeck.run_folder import RunFolder
from worker.engine.attempt import Attempt
from worker.engine.event_log import EventLog
from worker.engine.platform import Platform, shutdown_parallel
from worker.engine.training import loop
from worker.engine.training.run import train

SAVING = {"save_interval": 5, "keep_last": 9}


@pytest.fixture
def order(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """("asked", n) when the device is given step n, ("told", n) when it is told of."""
    seen: list[tuple[str, int]] = []
    begin, tell = loop.TrainingLoop._begin, loop.StepObserver.tell

    def asked(self: Any, *args: Any) -> Any:
        under_way = begin(self, *args)
        seen.append(("asked", under_way.step))
        return under_way

    def told(self: Any, step: int, metrics: Mapping[str, float], batch: Any) -> None:
        seen.append(("told", step))
        tell(self, step, metrics, batch)

    monkeypatch.setattr(loop.TrainingLoop, "_begin", asked)
    monkeypatch.setattr(loop.StepObserver, "tell", told)
    return seen


@pytest.fixture
def runs_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Platform, "runs_behind", True)


def spec_of(model: Path, data: Path) -> ResolvedSpec:
    return resolved_spec(
        model, data, batching={"train_iters": 12}, evaluation={"eval_interval": 4}, checkpointing=SAVING
    )


def test_the_run_is_told_as_if_every_step_were_waited_for(
    tiny_qwen3: Path, sums: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = spec_of(tiny_qwen3, sums)
    train_here(spec, tmp_path / "waits")
    monkeypatch.setattr(Platform, "runs_behind", True)
    train_here(spec, tmp_path / "ahead")
    waits, ahead = (told(tmp_path / name) for name in ("waits", "ahead"))
    assert ahead == waits


def told(folder: Path) -> list[tuple[Any, ...]]:
    """All that does not depend on the clock. A checkpoint is told when its writing happens to end."""
    steady = [event for event in events(folder) if not event["kind"].startswith("checkpoint")]
    return [
        (event["kind"], event.get("step"), [event.get("metrics", {}).get(name) for name in ("loss", "validation_loss")])
        for event in steady
    ] + [("checkpoint", event["step"]) for event in events(folder, "checkpoint")]


def test_only_steps_that_nothing_looks_at_are_told_late(
    tiny_qwen3: Path, sums: Path, tmp_path: Path, order: list[tuple[str, int]], runs_behind: None
) -> None:
    train_here(spec_of(tiny_qwen3, sums), tmp_path)
    late = [step for step in range(1, 13) if ("asked", step + 1) in order[: order.index(("told", step))]]
    # 1 is the first, at 4 and 8 is a validation, at 5 and 10 a checkpoint, 12 is the last.
    assert late == [2, 3, 6, 7, 9, 11]
    assert [step for what, step in order if what == "told"] == list(range(1, 13))


def test_a_profiled_step_has_the_device_for_itself(
    tiny_qwen3: Path, sums: Path, tmp_path: Path, order: list[tuple[str, int]], runs_behind: None
) -> None:
    window = {"profile_step_start": 4, "profile_step_end": 5}
    train_here(resolved_spec(tiny_qwen3, sums, batching={"train_iters": 7}, tracking=window), tmp_path)
    place = {what: position for position, what in enumerate(order)}
    assert place["told", 3] < place["asked", 4] < place["told", 4] < place["asked", 5]


def test_a_stop_is_answered_a_step_later_and_loses_nothing(
    tiny_qwen3: Path, sums: Path, tmp_path: Path, runs_behind: None
) -> None:
    spec = resolved_spec(tiny_qwen3, sums, batching={"train_iters": 12})
    (tmp_path / "control").mkdir()
    with AsksToStop(tmp_path / "events.jsonl") as log:
        assert train(Attempt(spec, RunFolder(tmp_path), None, log)) == "stopped"
    shutdown_parallel()
    assert [event["step"] for event in events(tmp_path, "checkpoint")] == [6]
    assert len(losses(tmp_path)) == 6


class AsksToStop(EventLog):
    def step(self, step: int, metrics: Mapping[str, float]) -> None:
        super().step(step, metrics)
        if step == 4:  # by now the device has been given step 5
            RunFolder(self.path.parent).stop_request.touch()


def test_a_loss_that_is_not_finite_is_found_before_a_checkpoint(
    tiny_qwen3: Path, sums: Path, tmp_path: Path, runs_behind: None
) -> None:
    broken = with_broken_weight(tiny_qwen3, tmp_path / "model")
    spec = resolved_spec(
        broken, sums, data={"num_validation_rows": 0}, checkpointing={"save_interval": 2, "keep_last": 9}
    )
    with pytest.raises(LossNotFinite, match="the loss of step 1 is nan"):
        train_here(spec, tmp_path / "run")
    assert not (tmp_path / "run" / "checkpoints").exists()


def test_memory_that_runs_out_does_not_take_the_step_before_along(
    tiny_qwen3: Path, sums: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, runs_behind: None
) -> None:
    compute, calls = loop.forward_backward, []

    def runs_out(*args: Any, **kwargs: Any) -> Any:
        calls.append(1)
        if len(calls) == 4:
            raise loop.torch.OutOfMemoryError("CUDA out of memory")
        return compute(*args, **kwargs)

    monkeypatch.setattr(loop, "forward_backward", runs_out)
    spec = resolved_spec(tiny_qwen3, sums, data={"num_validation_rows": 0}, batching={"train_iters": 9})
    with pytest.raises(loop.torch.OutOfMemoryError):
        train_here(spec, tmp_path)
    assert [event["step"] for event in events(tmp_path, "step")] == [1, 2, 3]
