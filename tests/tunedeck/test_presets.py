"""Presets: the user's own fields win, and a preset never fights with what replaces it."""

from __future__ import annotations

from typing import Any

import pytest

from tunedeck.errors import BadInput
from tunedeck.presets import PRESETS, apply_preset
from tunedeck.spec import JobSpec

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


def test_the_recipe_asks_for_its_eight_gpus_in_fp8() -> None:
    spec = JobSpec.model_validate(apply_preset({**ASKED, "preset": "qwen3-4b-openhermes-fp8"}))
    assert (spec.parallelism.tensor_model_parallel_size, spec.resources.num_devices) == (4, 8)
    assert (spec.precision.fp8_format, spec.precision.fp8_recipe) == ("e4m3", "blockwise")
    assert spec.batching.max_tokens_per_gpu == 32768
