"""The forecast of packing, against figures worked out by hand."""

from __future__ import annotations

import pytest

from tests.tunedeck.packing.test_layout import spec
from tunedeck.packing import simulate


def test_a_forecast_by_hand() -> None:
    batching = {"max_tokens_per_gpu": 16, "global_batch_size": 4, "rollout_shuffle": False}
    sequence_parallel = {"tensor_model_parallel_size": 2, "sequence_parallel": True}
    # Step 1: 3 + 3 + 2 | 7, padded to 8 each. Step 2: 21 | 6 + 5 + 5, padded to 22 and 16. The ninth sample is left.
    forecast = simulate([7, 3, 3, 2, 21, 6, 5, 5, 9], spec(4, 2, batching=batching, parallelism=sequence_parallel))
    assert (forecast.num_samples, forecast.steps_per_epoch, forecast.num_simulated_steps) == (9, 2, 2)
    assert (forecast.min_num_microbatches, forecast.max_num_microbatches) == (1, 1)
    assert forecast.mean_tokens_per_step == (15 + 37) / 2
    assert forecast.padding_share == pytest.approx(1 - 52 / 54)
    assert forecast.imbalance == pytest.approx((8 / 7.5 + 21 / 18.5) / 2)
    assert forecast.num_overlong_samples == 1


def test_no_more_steps_are_simulated_than_asked_for() -> None:
    forecast = simulate([4] * 100, spec(batching={"global_batch_size": 2}), max_steps=3)
    assert (forecast.steps_per_epoch, forecast.num_simulated_steps) == (50, 3)


def test_fewer_samples_than_a_batch_give_one_step_that_repeats_them() -> None:
    forecast = simulate([4, 4], spec(batching={"global_batch_size": 4}))
    assert (forecast.steps_per_epoch, forecast.num_simulated_steps, forecast.mean_tokens_per_step) == (0, 1, 16)
