"""The learning rate of each step, against figures worked out by hand."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from tests.engine.model.specs import layout_spec
from worker.engine.training.optimizer import lr_schedule

HALF = 0.5**0.5


@pytest.mark.parametrize(
    ("optimizer", "expected"),
    [
        ({"lr_decay_style": "constant"}, [0, 0.5, 1, 1, 1, 1, 1, 1, 1, 1]),
        ({"lr_decay_style": "linear"}, [0, 0.5, 1, 7 / 8, 6 / 8, 5 / 8, 4 / 8, 3 / 8, 2 / 8, 1 / 8]),
        (
            {"lr_decay_style": "cosine", "min_lr": 0.1},
            [0, 0.5, 1, 0.9657, 0.8682, 0.7222, 0.55, 0.3778, 0.2318, 0.1343],
        ),
        (
            {"lr_decay_style": "WSD", "lr_wsd_decay_style": "linear"},
            [0, 0.5, 1, 1, 1, 1, 1, 3 / 4, 2 / 4, 1 / 4],
        ),
        (
            {"lr_decay_style": "WSD", "lr_wsd_decay_style": "minus_sqrt", "min_lr": 0.2},
            [0, 0.5, 1, 1, 1, 1, 1, 0.6, 0.2 + 0.8 * (1 - HALF), 0.2 + 0.8 * (1 - 0.75**0.5)],
        ),
        (
            {"lr_decay_style": "WSD", "lr_wsd_decay_style": "exponential"},
            [0, 0.5, 1, 1, 1, 1, 1, 2 * 0.5**0.25 - 1, 2 * HALF - 1, 2 * 0.5**0.75 - 1],
        ),
        (
            {"lr_decay_style": "WSD", "lr_wsd_decay_style": "cosine"},
            [0, 0.5, 1, 1, 1, 1, 1, (1 + HALF) / 2, 0.5, (1 - HALF) / 2],
        ),
    ],
)
def test_ten_steps_with_two_of_warm_up_and_for_wsd_four_of_decay(
    optimizer: dict[str, Any], expected: list[float]
) -> None:
    wanted = {"lr": 1.0, "lr_warmup_iters": 2, "lr_wsd_decay_iters": 4, **optimizer}
    trained: Any = torch.optim.SGD([torch.zeros(1)], lr=1.0)
    schedule = lr_schedule(layout_spec(optimizer=wanted, batching={"train_iters": 10}), trained)
    used = []
    for _ in range(10):
        used.append(trained.param_groups[0]["lr"])
        schedule.step(1)
    assert used == pytest.approx(expected, abs=1e-4)
