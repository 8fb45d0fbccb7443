"""Presets: the user's own fields win, and a preset never fights with what replaces it."""

from __future__ import annotations

import re
from operator import attrgetter
from pathlib import Path
from typing import Any

import pytest
import yaml

from tunedeck.errors import BadInput
from tunedeck.presets import PRESETS, apply_preset
from tunedeck.spec import JobSpec

RECIPE = Path(__file__).parents[2] / "docs" / "recipe.md"
ASKED: dict[str, Any] = {"name": "job", "model": "tiny", "dataset": "questions"}


@pytest.mark.parametrize("name", [preset.name for preset in PRESETS])
def test_every_preset_makes_a_valid_spec(name: str) -> None:
    assert JobSpec.model_validate(apply_preset({**ASKED, "preset": name})).preset == name


def test_fields_that_the_user_gives_win_over_the_preset() -> None:
    merged = apply_preset({**ASKED, "preset": "full-sft", "optimizer": {"lr": 0.5}})
    assert merged["optimizer"]["lr"] == 0.5
    assert merged["optimizer"]["min_lr"] == 1e-6


def test_train_iters_replace_the_epochs_of_the_preset() -> None:
    spec = JobSpec.model_validate(apply_preset({**ASKED, "preset": "full-sft", "batching": {"train_iters": 7}}))
    assert (spec.batching.train_iters, spec.batching.num_epoch) == (7, None)


def test_an_unknown_preset_names_the_known_ones() -> None:
    with pytest.raises(BadInput, match="fast-and-loose") as caught:
        apply_preset({**ASKED, "preset": "fast-and-loose"})
    assert "quick-look" in caught.value.mend


def recipe(column: int) -> dict[str, Any]:
    """What docs/recipe.md says of one form of the recipe, by our fields."""
    rows = re.findall(r"^\| `--.*\|$", RECIPE.read_text(), re.MULTILINE)
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    return {row[3].strip("`"): yaml.safe_load(row[column].split("`")[1].replace("1e-", "1.0e-")) for row in cells}


@pytest.mark.parametrize(("suffix", "column"), [("bf16", 1), ("fp8", 2)])
def test_the_recipe_is_what_its_script_says_flag_for_flag(suffix: str, column: int) -> None:
    spec = JobSpec.model_validate(apply_preset({**ASKED, "preset": f"qwen3-4b-openhermes-{suffix}"}))
    flags = recipe(column)
    assert len(flags) >= 45
    left_out = {"recompute.recompute_granularity": "none"}
    expected = {path: left_out.get(path) if value == "none" else value for path, value in flags.items()}
    assert {path: attrgetter(path)(spec) for path in flags} == expected


def test_a_preset_of_the_recipe_sets_nothing_that_its_table_does_not_name() -> None:
    for suffix, column in (("bf16", 1), ("fp8", 2)):
        spec = JobSpec.model_validate(apply_preset({**ASKED, "preset": f"qwen3-4b-openhermes-{suffix}"}))
        given = spec.model_dump(exclude_unset=True, exclude={*ASKED, "preset"})
        paths = {f"{component}.{field}" for component, fields in given.items() for field in fields}
        assert paths - set(recipe(column)) == {"data.validation_fraction"}


@pytest.mark.parametrize(
    "moved",
    [
        {"precision": {"fp8_format": None}},
        {"tracking": {"use_wandb": False}},
        {"batching": {"use_dynamic_batch_size": False, "micro_batch_size": 2}},
        {"data": {"validation_dataset": "held-out"}},
    ],
)
def test_moving_a_switch_of_a_preset_takes_along_what_hangs_on_it(moved: dict[str, Any]) -> None:
    merged = apply_preset({**ASKED, "preset": "qwen3-4b-openhermes-fp8", **moved})
    left = {"fp8_recipe", "fp8_param_gather", "wandb_project", "max_tokens_per_gpu", "validation_fraction"}
    (component,) = moved
    assert not left & set(merged[component])


def test_another_fp8_format_keeps_the_recipe_of_the_preset() -> None:
    hybrid = {"precision": {"fp8_format": "hybrid"}}
    merged = apply_preset({**ASKED, "preset": "qwen3-4b-openhermes-fp8", **hybrid})
    assert merged["precision"]["fp8_param_gather"] is True
