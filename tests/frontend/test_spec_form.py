"""The form of a JobSpec, as its schema and a spec that is cloned say it."""

from __future__ import annotations

from typing import Any

from frontend.spec_form import FormField, spec_groups
from tunedeck.spec import JobSpec

SCHEMA = JobSpec.model_json_schema()
RECIPE = "qwen3-4b-openhermes-fp8"


def fields(prefill: dict[str, Any]) -> dict[str, FormField]:
    return {field.path: field for group in spec_groups(SCHEMA, prefill) for field in group.fields}


def test_the_groups_stand_in_the_order_of_the_recipe() -> None:
    titles = [group.title for group in spec_groups(SCHEMA)]
    assert titles[1:5] == ["Data", "Batching", "Optimizer and schedule", "Parallelism"]
    assert titles[5:] == [
        "Precision",
        "Experts",
        "Recompute",
        "Evaluation and early stop",
        "Checkpoints",
        "Tracking",
        "Resources",
        "Queue",
    ]


def test_a_null_over_a_preset_is_not_the_same_as_nothing_given() -> None:
    cloned = fields({"preset": RECIPE, "precision": {"fp8_format": None}})
    assert cloned["precision.fp8_format"].is_null
    assert not cloned["precision.fp8_recipe"].is_null
    assert not fields({})["precision.fp8_format"].is_null


def test_every_field_says_what_it_is_for_in_the_spelling_of_the_trade() -> None:
    shown = fields({})
    assert shown["precision.fp8_param_gather"].label == "FP8 param gather"
    assert [path for path, field in shown.items() if not field.description] == []
