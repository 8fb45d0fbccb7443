"""Named starting points for a job spec. A preset is a partial spec that the user's own fields are laid over.

A preset may ask for more than this machine has: `resolve.py` then says so at the field, by name. Presets that quietly
adapt to the machine were rejected: two users would mean different things by the same name.
"""

from __future__ import annotations

from typing import Any

from tunedeck.errors import BadInput
from tunedeck.views import PresetView

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
        name="qwen3-4b-openhermes-fp8",
        title="Qwen3-4B + OpenHermes, FP8",
        explanation="The recipe on eight Hopper GPUs: TP 4 with sequence parallel, DP 2, FP8 blockwise, param-gather.",
        values={
            "data": {"loss_mask_type": "qwen", "validation_fraction": 0.0},
            "batching": {
                "num_epoch": 3,
                "global_batch_size": 128,
                "max_tokens_per_gpu": 32768,
                "rollout_shuffle": True,
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
                "tensor_model_parallel_size": 4,
                "sequence_parallel": True,
                "pipeline_model_parallel_size": 1,
                "use_distributed_optimizer": True,
            },
            "precision": {
                "params_dtype": "bf16",
                "fp8_format": "e4m3",
                "fp8_recipe": "blockwise",
                "fp8_param_gather": True,
            },
            "checkpointing": {"save_interval": 1000},
            "resources": {"num_devices": 8},
        },
    ),
)
_BY_NAME = {preset.name: preset for preset in PRESETS}
# Each of these pairs says the same thing in two ways; who sets one means to replace the preset's other.
_EITHER_OR = (("batching", "num_epoch", "train_iters"), ("optimizer", "lr_warmup_fraction", "lr_warmup_iters"))


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
    return _lay_over(_without_rivals(_BY_NAME[name].values, raw), raw)


def _lay_over(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        merged[key] = _lay_over(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged


def _without_rivals(values: dict[str, Any], raw: dict[str, Any]) -> dict[str, Any]:
    kept = {key: dict(value) for key, value in values.items()}
    for component, first, second in _EITHER_OR:
        given = raw.get(component)
        if not isinstance(given, dict):
            continue
        if given.get(first) is not None:
            kept.get(component, {}).pop(second, None)
        if given.get(second) is not None:
            kept.get(component, {}).pop(first, None)
    return kept
