"""Named starting points for a job spec. A preset is a partial spec that the user's own fields are laid over.

A preset may ask for more than this machine has: `resolve/` then says so at the field, by name. Presets that quietly
adapt to the machine were rejected: two users would mean different things by the same name.
"""

from __future__ import annotations

from typing import Any

from tunedeck.errors import BadInput
from tunedeck.views.presets import PresetView

# What the two forms of the recipe share. The warm-up flags of its FP8 form contradict each other (128 steps and a
# fraction of 0.9, a known mistake); the fraction of its BF16 form stands in both.
_RECIPE: dict[str, dict[str, Any]] = {
    "data": {"loss_mask_type": "qwen", "calculate_per_token_loss": True, "validation_fraction": 0.0},
    "batching": {
        "num_epoch": 3,
        "global_batch_size": 128,
        "rollout_shuffle": True,
        "use_dynamic_batch_size": True,
    },
    "optimizer": {
        "lr": 1e-5,
        "min_lr": 1e-6,
        "lr_decay_style": "cosine",
        "lr_warmup_fraction": 0.1,
        "weight_decay": 0.1,
        "adam_beta1": 0.9,
        "adam_beta2": 0.95,
        "clip_grad": 1.0,
    },
    "parallelism": {
        "sequence_parallel": True,
        "pipeline_model_parallel_size": 1,
        "context_parallel_size": 1,
        "expert_model_parallel_size": 1,
        "expert_tensor_parallel_size": 1,
        "use_distributed_optimizer": True,
    },
    "precision": {
        "params_dtype": "bf16",
        "accumulate_allreduce_grads_in_fp32": True,
        "attention_softmax_in_fp32": True,
    },
    "checkpointing": {"save_interval": 1000},
    "resources": {"num_devices": 8},
}

PRESETS: tuple[PresetView, ...] = (
    PresetView(
        name="quick-look",
        title="Quick look",
        explanation="50 steps with a validation loss every 10: does this data teach this model anything?",
        values={
            "batching": {"train_iters": 50, "global_batch_size": 16, "max_tokens_per_gpu": 4096},
            "optimizer": {"lr": 2e-5, "lr_warmup_iters": 5},
            "data": {"validation_fraction": 0.05},
            "evaluation": {"eval_interval": 10},
            "checkpointing": {"save_interval": 0, "keep_last": 1},
        },
    ),
    PresetView(
        name="full-sft",
        title="Full fine-tune",
        explanation="Three epochs at a cautious learning rate: cosine to a tenth, 10% warm-up, weight decay 0.1.",
        values={
            "batching": {"num_epoch": 3, "global_batch_size": 128, "max_tokens_per_gpu": 16384},
            "optimizer": {"lr": 1e-5, "min_lr": 1e-6, "lr_warmup_fraction": 0.1, "weight_decay": 0.1},
            "checkpointing": {"save_interval": 500, "keep_last": 3},
        },
    ),
    PresetView(
        name="qwen3-4b-openhermes-bf16",
        title="Qwen3-4B + OpenHermes, BF16",
        explanation="The recipe on eight GPUs in BF16: DP 8, microbatches of 9,216 tokens, full recompute.",
        values=_RECIPE
        | {
            "batching": _RECIPE["batching"] | {"max_tokens_per_gpu": 9216},
            "parallelism": _RECIPE["parallelism"] | {"tensor_model_parallel_size": 1},
            "recompute": {
                "recompute_granularity": "full",
                "recompute_method": "uniform",
                "recompute_num_layers": 1,
            },
        },
    ),
    PresetView(
        name="qwen3-4b-openhermes-fp8",
        title="Qwen3-4B + OpenHermes, FP8",
        explanation="The recipe on eight Hopper GPUs: TP 4 with sequence parallel, DP 2, FP8 blockwise, param-gather.",
        values=_RECIPE
        | {
            "batching": _RECIPE["batching"] | {"max_tokens_per_gpu": 32768},
            "parallelism": _RECIPE["parallelism"] | {"tensor_model_parallel_size": 4},
            "precision": _RECIPE["precision"]
            | {"fp8_format": "e4m3", "fp8_recipe": "blockwise", "fp8_param_gather": True},
            "recompute": {"recompute_granularity": "none"},
            "tracking": {
                "use_wandb": True,
                "wandb_mode": "offline",
                "wandb_project": "slime-dev",
                "wandb_group": "qwen3-4B-base-sft",
                "use_tensorboard": True,
                "profile_step_start": 16,
                "profile_step_end": 18,
                "record_memory_history": True,
            },
        },
    ),
)
_BY_NAME = {preset.name: preset for preset in PRESETS}
# Each of these pairs says the same thing in two ways; who sets one means to replace the preset's other.
_EITHER_OR = (
    ("batching", "num_epoch", "train_iters"),
    ("optimizer", "lr_warmup_fraction", "lr_warmup_iters"),
    ("data", "validation_fraction", "validation_dataset"),
)
# Fields that mean something only where a switch has one of these values; who sets it to another drops the preset's.
_ONLY_WITH: tuple[tuple[str, str, tuple[Any, ...], tuple[str, ...]], ...] = (
    ("batching", "use_dynamic_batch_size", (True,), ("max_tokens_per_gpu",)),
    ("batching", "use_dynamic_batch_size", (False,), ("micro_batch_size",)),
    ("precision", "fp8_format", ("e4m3", "hybrid"), ("fp8_recipe", "fp8_param_gather")),
    ("recompute", "recompute_granularity", ("full",), ("recompute_method", "recompute_num_layers")),
    ("tracking", "use_wandb", (True,), ("wandb_mode", "wandb_project", "wandb_group")),
)


def apply_preset(raw: dict[str, Any]) -> dict[str, Any]:
    """Lay `raw` (a JobSpec as JSON, not validated yet) over the preset that it names; without one, return it as it is.

    Raises BadInput at `preset` for a name that is not in PRESETS.
    """
    name = raw.get("preset")
    if name is None:
        return raw
    if not isinstance(name, str) or name not in _BY_NAME:
        known = ", ".join(_BY_NAME)
        raise BadInput.at("preset", name, f"there is no preset {name!r}", f"choose one of: {known}")
    return lay_over(_without_rivals(_BY_NAME[name].values, raw), raw)


def lay_over(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """A spec as JSON with another, partial one over it, section by section."""
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        merged[key] = lay_over(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged


def _without_rivals(values: dict[str, Any], raw: dict[str, Any]) -> dict[str, Any]:
    kept = {key: dict(value) for key, value in values.items()}
    given = {key: value for key, value in raw.items() if isinstance(value, dict)}
    for component, first, second in _EITHER_OR:
        for mine, rival in ((first, second), (second, first)):
            if given.get(component, {}).get(mine) is not None:
                kept.get(component, {}).pop(rival, None)
    for component, switch, positions, dependents in _ONLY_WITH:
        if switch in given.get(component, {}) and given[component][switch] not in positions:
            for field in dependents:
                kept.get(component, {}).pop(field, None)
    return kept
