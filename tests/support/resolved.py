"""The one ResolvedSpec that tests start from: a tiny dense model on one CPU process, everything optional switched off.

A test lays what it looks at over it, section by section, so that a new field of the spec is written down once.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from tunedeck.resolved import ResolvedSpec

RESOLVED: dict[str, Any] = {
    "name": "first",
    "seed": 42,
    "model": {
        "name": "tiny",
        "path": "/models/tiny",
        "architecture": "Qwen3ForCausalLM",
        "num_parameters": 136,
        "num_layers": 2,
        "hidden_size": 8,
        "ffn_hidden_size": 16,
        "num_attention_heads": 2,
        "num_query_groups": 1,
        "num_experts": 0,
        "moe_ffn_hidden_size": 0,
        "vocab_size": 16,
        "max_position_embeddings": 64,
    },
    "data": {
        "name": "chats",
        "path": "/data/chats.jsonl",
        "content_sha256": "0" * 64,
        "num_rows": 40,
        "loss_mask_type": "qwen",
        "calculate_per_token_loss": True,
        "num_validation_rows": 4,
        "validation_dataset": "",
        "validation_path": "",
        "validation_sha256": "",
    },
    "batching": {
        "use_dynamic_batch_size": True,
        "max_tokens_per_gpu": 64,
        "micro_batch_size": 1,
        "global_batch_size": 4,
        "train_iters": 100,
        "rollout_shuffle": True,
        "balance_data": True,
    },
    "optimizer": {
        "lr": 1e-3,
        "min_lr": 0.0,
        "lr_decay_style": "cosine",
        "lr_wsd_decay_style": "exponential",
        "lr_wsd_decay_iters": 0,
        "lr_warmup_iters": 0,
        "weight_decay": 0.1,
        "adam_beta1": 0.9,
        "adam_beta2": 0.95,
        "adam_eps": 1e-8,
        "clip_grad": 1.0,
    },
    "parallelism": {},
    "precision": {
        "params_dtype": "fp32",
        "fp8_format": "none",
        "fp8_recipe": "blockwise",
        "fp8_param_gather": False,
        "reuse_grad_buf_for_mxfp8_param_ag": False,
        "activation_func_fp8_input_store": False,
        "first_last_layers_bf16": False,
        "num_layers_at_start_in_bf16": 0,
        "num_layers_at_end_in_bf16": 0,
        "accumulate_allreduce_grads_in_fp32": True,
        "attention_softmax_in_fp32": True,
        "use_precision_aware_optimizer": False,
        "main_grads_dtype": "fp32",
        "main_params_dtype": "fp32",
        "exp_avg_dtype": "fp32",
        "exp_avg_sq_dtype": "fp32",
        "optimizer_cpu_offload": False,
        "optimizer_offload_fraction": 0.0,
    },
    "experts": {},
    "recompute": {"recompute_granularity": "none", "recompute_method": "uniform", "recompute_num_layers": 1},
    "evaluation": {},
    "checkpointing": {},
    "tracking": {
        "use_wandb": False,
        "wandb_mode": "offline",
        "wandb_project": "tunedeck",
        "wandb_group": "",
        "use_tensorboard": False,
        "profile_step_start": 0,
        "profile_step_end": 0,
        "record_memory_history": False,
    },
    "hardware": {"device": "cpu", "num_devices": 1, "data_parallel_size": 1, "threads_per_process": 1},
}


def resolved_json(**changes: Any) -> dict[str, Any]:
    """RESOLVED with `changes` laid over it: a dict over its section, anything else in the place of what was there."""
    spec = deepcopy(RESOLVED)
    for key, value in changes.items():
        if isinstance(value, dict):
            spec[key] |= value
        else:
            spec[key] = value
    return spec


def resolved(**changes: Any) -> ResolvedSpec:
    return ResolvedSpec.model_validate(resolved_json(**changes))
