"""Early stop and keep-best: the bookkeeping by hand, and a run that gets worse."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from safetensors.torch import load_file

from tests.engine.tiny import events, resolved_spec, train_here
from tunedeck.resolved import ResolvedSpec
from worker.engine.training.validation_history import ValidationHistory


def seen(losses: list[float], min_delta: float = 0.0) -> ValidationHistory:
    history = ValidationHistory()
    for number, loss in enumerate(losses, 1):
        history = history.after(number * 10, loss, f"iter_{number * 10}", min_delta)
    return history


@pytest.mark.parametrize(
    ("losses", "min_delta", "best_step", "num_without_better"),
    [
        ([1.0, 0.9, 0.8], 0.0, 30, 0),
        ([1.0, 0.8, 0.9, 0.85], 0.0, 20, 2),
        ([1.0, 0.95, 0.91, 0.89], 0.1, 40, 0),  # 0.89 beats 1.0 by more than 0.1; the two before did not
        ([1.0, 0.95, 0.91], 0.1, 30, 2),
        ([1.0, math.nan], 0.0, 10, 1),
        ([1.0, 1.0], 0.0, 10, 1),
    ],
)
def test_the_lowest_loss_is_the_best_and_patience_counts_from_one_that_is_better_by_enough(
    losses: list[float], min_delta: float, best_step: int, num_without_better: int
) -> None:
    history = seen(losses, min_delta)
    assert (history.best_step, history.num_without_better) == (best_step, num_without_better)
    assert history.has_run_out_of(2) is (num_without_better >= 2)
    assert not history.has_run_out_of(0)


def spec_of(model: Path, data: Path) -> ResolvedSpec:
    return resolved_spec(
        model,
        data,
        batching={"train_iters": 40},
        # It learns while the learning rate is still low, and is then thrown about.
        optimizer={"lr": 0.3, "min_lr": 0.0, "lr_warmup_iters": 30, "lr_decay_style": "constant", "clip_grad": 0.0},
        evaluation={"eval_interval": 2, "early_stop_patience": 3, "keep_best": True},
        checkpointing={"save_interval": 4, "keep_last": 1, "export_hf": True},
    )


def test_a_run_that_gets_worse_ends_early_and_exports_its_best_checkpoint_also_when_resumed(
    tiny_qwen3: Path, sums: Path, tmp_path: Path
) -> None:
    first, again = tmp_path / "first", tmp_path / "again"
    spec = spec_of(tiny_qwen3, sums)
    assert train_here(spec, first) == "succeeded"
    validation = {event["step"]: event["metrics"]["validation_loss"] for event in events(first, "eval")}
    (end,) = events(first, "end")
    best = min((step for step in validation if step > 0), key=lambda step: validation[step])
    assert 0 < best < end["step"] < 40
    assert all(validation[step] >= validation[best] for step in sorted(validation)[-3:])
    assert "3 validation losses in a row" in end["why"]
    left = sorted(path.name for path in (first / "checkpoints").iterdir())
    assert left == [f"iter_{best:07d}", f"iter_{end['step']:07d}"]

    assert train_here(spec, again, resume_from=first / "checkpoints" / left[0]) == "succeeded"
    assert events(again, "end")[0]["step"] == end["step"]
    exports = [
        event for folder in (first, again) for event in events(folder, "checkpoint") if event["format"] == "huggingface"
    ]
    assert [event["step"] for event in exports] == [best, best]
    names = ("first", "again")
    weights = [load_file(tmp_path / name / "export" / "model.safetensors") for name in names]
    assert all(weights[0][name].equal(weights[1][name]) for name in weights[0])

    # The loss of an exported model before its first step is that of the step that was kept.
    train_here(resolved_spec(first / "export", sums, batching={"train_iters": 3}), tmp_path / "of-the-export")
    before = events(tmp_path / "of-the-export", "eval")[0]["metrics"]["validation_loss"]
    assert before == pytest.approx(validation[best], abs=1e-5)
