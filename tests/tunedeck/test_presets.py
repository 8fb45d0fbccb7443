"""Presets: the user's own fields win, and a preset never fights with what replaces it."""

from __future__ import annotations

from operator import attrgetter
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


# The recipe as its two scripts write it, flag by flag. Its warm-up flags: see tunedeck/presets.py.
BOTH = {
    "data.loss_mask_type": "qwen",
    "data.calculate_per_token_loss": True,
    "batching.rollout_shuffle": True,
    "batching.num_epoch": 3,
    "batching.global_batch_size": 128,
    "batching.use_dynamic_batch_size": True,
    "parallelism.sequence_parallel": True,
    "parallelism.pipeline_model_parallel_size": 1,
    "parallelism.context_parallel_size": 1,
    "parallelism.expert_model_parallel_size": 1,
    "parallelism.expert_tensor_parallel_size": 1,
    "parallelism.use_distributed_optimizer": True,
    "parallelism.overlap_grad_reduce": False,
    "parallelism.overlap_param_gather": False,
    "optimizer.lr": 1e-5,
    "optimizer.min_lr": 1e-6,
    "optimizer.lr_decay_style": "cosine",
    "optimizer.lr_warmup_fraction": 0.1,
    "optimizer.lr_warmup_iters": None,
    "optimizer.weight_decay": 0.1,
    "optimizer.adam_beta1": 0.9,
    "optimizer.adam_beta2": 0.95,
    "optimizer.clip_grad": 1.0,
    "precision.params_dtype": "bf16",
    "precision.accumulate_allreduce_grads_in_fp32": True,
    "precision.attention_softmax_in_fp32": True,
    "checkpointing.save_interval": 1000,
    "resources.num_devices": 8,
    "seed": 42,
}
BF16 = {
    "batching.max_tokens_per_gpu": 9216,
    "parallelism.tensor_model_parallel_size": 1,
    "recompute.recompute_granularity": "full",
    "recompute.recompute_method": "uniform",
    "recompute.recompute_num_layers": 1,
    "precision.fp8_format": None,
    "tracking.use_wandb": False,
}
FP8 = {
    "batching.max_tokens_per_gpu": 32768,
    "parallelism.tensor_model_parallel_size": 4,
    "recompute.recompute_granularity": "none",
    "precision.fp8_format": "e4m3",
    "precision.fp8_recipe": "blockwise",
    "precision.fp8_param_gather": True,
    "tracking.use_wandb": True,
    "tracking.wandb_mode": "offline",
    "tracking.wandb_project": "slime-dev",
    "tracking.wandb_group": "qwen3-4B-base-sft",
    "tracking.use_tensorboard": True,
    "tracking.profile_step_start": 16,
    "tracking.profile_step_end": 18,
    "tracking.record_memory_history": True,
}


@pytest.mark.parametrize(("suffix", "flags"), [("bf16", BOTH | BF16), ("fp8", BOTH | FP8)])
def test_the_recipe_is_what_its_script_says_flag_for_flag(suffix: str, flags: dict[str, Any]) -> None:
    spec = JobSpec.model_validate(apply_preset({**ASKED, "preset": f"qwen3-4b-openhermes-{suffix}"}))
    assert {path: attrgetter(path)(spec) for path in flags} == flags


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
