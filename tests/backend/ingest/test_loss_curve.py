"""The small curve of a run, against means that are worked out over all its points."""

from __future__ import annotations

import math

import numpy as np
import pytest

from backend.ingest.loss_curve import NUM_VALUES, LossCurve


def curve_of(losses: list[float | None], batch: int = 7) -> LossCurve:
    """As ingest makes it: stored after each batch of steps and taken up again."""
    curve = LossCurve({})
    for step, loss in enumerate(losses, start=1):
        curve.add(step, loss)
        if step % batch == 0:
            curve = LossCurve(curve.as_stored())
    return curve


@pytest.mark.parametrize("num_steps", [1, 39, 40, 41, 80, 81, 1_000, 5_123])
def test_each_value_is_the_mean_of_its_stretch(num_steps: int) -> None:
    losses = (3 * np.exp(-np.arange(num_steps) / 500) + np.sin(np.arange(num_steps)) / 10 + 0.2).tolist()
    stored = curve_of(losses).as_stored()
    stride, values = stored["stride"], stored["values"]
    assert len(values) <= NUM_VALUES
    assert len(values) == math.ceil(num_steps / stride)
    means = [np.mean(losses[at : at + stride]) for at in range(0, num_steps, stride)]
    assert values == pytest.approx(means, rel=2e-4)


def test_what_is_not_finite_does_not_count() -> None:
    stored = curve_of([2.0, math.nan, 4.0, None, math.inf, 6.0] + [1.0] * 74).as_stored()
    assert stored["stride"] == 2
    assert stored["values"][:3] == [2.0, 4.0, 6.0]
    assert curve_of([None, 1.0]).as_stored()["values"] == [None, 1.0]


def test_a_new_attempt_takes_the_place_of_the_steps_that_it_trains_anew() -> None:
    curve = curve_of([5.0] * 100)
    curve.cut_from(61)
    for step in range(61, 101):
        curve.add(step, 1.0)
    assert curve.as_stored()["values"] == [5.0] * 15 + [1.0] * 10
    curve.cut_from(1)
    assert curve.as_stored() == {}


def test_a_stretch_that_a_new_attempt_begins_in_is_averaged_over_both() -> None:
    curve = curve_of([4.0] * 100)
    curve.cut_from(63)
    curve.add(63, 1.0)
    assert curve.as_stored()["values"] == [4.0] * 15 + [3.0]


def test_a_stretch_without_a_finite_loss_does_not_count_after_a_cut() -> None:
    curve = curve_of([5.0] * 80 + [math.nan] * 4)
    curve.cut_from(83)
    curve.add(83, 3.0)
    assert curve.as_stored()["values"] == [5.0] * 20 + [3.0]


def test_missing_steps_leave_a_gap() -> None:
    curve = LossCurve({})
    curve.add(1, 3.0)
    curve.add(100, 1.0)
    stored = curve.as_stored()
    assert (stored["stride"], len(stored["values"])) == (4, 25)
    assert stored["values"][0] == 3.0
    assert stored["values"][1:24] == [None] * 23
    assert stored["values"][24] == 1.0
