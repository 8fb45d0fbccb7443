from __future__ import annotations

import json
from typing import Any

import pytest

from tunedeck.demo.numbers import DemoNumbers

GOOD: dict[str, Any] = {
    "job_id": "j1",
    "num_steps": 300,
    "seconds_to_first_point": 45.0,
    "seconds_to_end_of_job": 120.0,
    "seconds_total": 150.0,
    "first_train_loss": 4.8,
    "last_train_loss": 0.3,
    "first_validation_loss": 4.8,
    "last_validation_loss": 0.3,
    "exact_match_before": 0.05,
    "exact_match_after": 0.81,
    "tokens_per_s": 9000.0,
}


def test_numbers_within_every_goal_miss_none_and_say_so_in_the_json() -> None:
    numbers = DemoNumbers(**GOOD)
    assert numbers.goals_missed == ()
    assert json.loads(numbers.model_dump_json()) == GOOD | {"goals_missed": []}


@pytest.mark.parametrize(
    ("changed", "missed"),
    [
        ({"seconds_to_first_point": 46.0}, "first point after 46 s, not 45 s"),
        ({"last_validation_loss": 2.4}, "validation loss only from 4.800 to 2.400"),
        ({"exact_match_before": 0.06}, "the base already answers 6% exactly"),
        ({"exact_match_after": 0.80}, "only 80% are answered exactly, not over 80%"),
    ],
)
def test_each_goal_alone_is_missed_by_name(changed: dict[str, Any], missed: str) -> None:
    assert DemoNumbers(**GOOD | changed).goals_missed == (missed,)
