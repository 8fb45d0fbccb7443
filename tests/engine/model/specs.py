"""A ResolvedSpec for tests that only look at layout, precision and hardware."""

from __future__ import annotations

from typing import Any

from tunedeck.resolved import ResolvedSpec


def layout_spec(num_devices: int = 1, device: str = "cpu", **changes: dict[str, Any]) -> ResolvedSpec:
    """`changes` are laid over parallelism, precision or recompute."""
    sections: dict[str, dict[str, Any]] = {
        "parallelism": {},
        "precision": {
            "params_dtype": "fp32",
            "fp8_format": "none",
            "fp8_recipe": "blockwise",
            "fp8_param_gather": False,
        },
        "recompute": {"recompute_granularity": "none", "recompute_num_layers": 1},
    }
    for section, fields in changes.items():
        sections[section] |= fields
    return ResolvedSpec.model_validate(_REST | sections | {"hardware": _hardware(device, num_devices)})


def _hardware(device: str, num_devices: int) -> dict[str, Any]:
    return {"device": device, "num_devices": num_devices, "data_parallel_size": 1, "threads_per_process": 1}


_REST: dict[str, Any] = {
    "name": "layout",
    "seed": 42,
    "model": {
        "name": "m",
        "path": "/m",
        "architecture": "",
        "num_parameters": 1,
        "num_layers": 1,
        "hidden_size": 1,
        "num_attention_heads": 1,
        "num_query_groups": 1,
        "vocab_size": 1,
        "max_position_embeddings": 1,
    },
    "data": {
        "name": "d",
        "path": "/d",
        "content_sha256": "",
        "num_rows": 1,
        "loss_mask_type": "qwen",
        "num_validation_rows": 0,
    },
    "batching": {"max_tokens_per_gpu": 64, "global_batch_size": 4, "train_iters": 1, "rollout_shuffle": True},
    "optimizer": {
        "lr": 1e-3,
        "min_lr": 0.0,
        "lr_decay_style": "constant",
        "lr_warmup_iters": 0,
        "weight_decay": 0.0,
        "adam_beta1": 0.9,
        "adam_beta2": 0.95,
        "adam_eps": 1e-8,
        "clip_grad": 1.0,
    },
    "evaluation": {},
    "checkpointing": {},
}
