"""Optimizer and learning-rate schedule: both Megatron's own, configured from the spec.

Norm weights and biases are not decayed (Megatron's standard). The schedule is stepped after each update, so the first
step of a warm-up uses a learning rate of 0, as in Megatron's own training script and in transformers.
"""

from __future__ import annotations

import megatron.core.optimizer as megatron_optimizer
import torch
from megatron.core.distributed import DistributedDataParallel
from megatron.core.optimizer import MegatronOptimizer, OptimizerConfig, distrib_optimizer, get_megatron_optimizer
from megatron.core.optimizer_param_scheduler import OptimizerParamScheduler

from tunedeck.errors import SpecInvalid
from tunedeck.resolved import ResolvedSpec
from worker.engine.platform import Platform
from worker.engine.training import clipping
from worker.engine.training.adamw import AdamW

# Megatron spells FP8 moments as bytes; Transformer Engine's Adam keeps their scales beside them.
_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16, "fp8": torch.uint8}


def build_optimizer(
    spec: ResolvedSpec, chunks: list[DistributedDataParallel], platform: Platform
) -> tuple[MegatronOptimizer, OptimizerParamScheduler]:
    """Raises SpecInvalid where the schedule's numbers contradict each other."""
    _check_schedule(spec)
    if platform.device.type == "cpu":
        _use_our_adamw()
    else:
        clipping.stay_on_device()
    optimizer = get_megatron_optimizer(optimizer_config(spec), chunks)
    return optimizer, lr_schedule(spec, optimizer)


def learning_rate(optimizer: MegatronOptimizer) -> float:
    """The learning rate that the next update will use."""
    return float(next(group["lr"] for group in optimizer.param_groups if group["default_config"]))


def optimizer_config(spec: ResolvedSpec) -> OptimizerConfig:
    """Megatron's OptimizerConfig. With a share of the state on the host, that share is updated there, in fp32."""
    wanted, precision = spec.optimizer, spec.precision
    return OptimizerConfig(
        optimizer="adam",
        lr=wanted.lr,
        min_lr=wanted.min_lr,
        weight_decay=wanted.weight_decay,
        adam_beta1=wanted.adam_beta1,
        adam_beta2=wanted.adam_beta2,
        adam_eps=wanted.adam_eps,
        clip_grad=wanted.clip_grad,
        bf16=precision.params_dtype == "bf16",
        params_dtype=_DTYPES[precision.params_dtype],
        use_distributed_optimizer=spec.parallelism.use_distributed_optimizer,
        overlap_param_gather=spec.parallelism.overlap_param_gather,
        fp8_recipe=None if precision.fp8_format == "none" else precision.fp8_recipe,
        reuse_grad_buf_for_mxfp8_param_ag=precision.reuse_grad_buf_for_mxfp8_param_ag,
        use_precision_aware_optimizer=precision.use_precision_aware_optimizer,
        main_grads_dtype=_DTYPES[precision.main_grads_dtype],
        main_params_dtype=_DTYPES[precision.main_params_dtype],
        exp_avg_dtype=_DTYPES[precision.exp_avg_dtype],
        exp_avg_sq_dtype=_DTYPES[precision.exp_avg_sq_dtype],
        optimizer_cpu_offload=precision.optimizer_cpu_offload,
        optimizer_offload_fraction=precision.optimizer_offload_fraction,
        overlap_cpu_optimizer_d2h_h2d=precision.optimizer_cpu_offload,
    )


def lr_schedule(spec: ResolvedSpec, optimizer: MegatronOptimizer) -> OptimizerParamScheduler:
    wanted = spec.optimizer
    return OptimizerParamScheduler(
        optimizer,
        init_lr=0.0,
        max_lr=wanted.lr,
        min_lr=wanted.min_lr,
        lr_warmup_steps=wanted.lr_warmup_iters,
        lr_decay_steps=spec.batching.train_iters,
        lr_decay_style=wanted.lr_decay_style,
        wsd_decay_steps=wanted.lr_wsd_decay_iters,
        lr_wsd_decay_style=wanted.lr_wsd_decay_style,
        start_wd=wanted.weight_decay,
        end_wd=wanted.weight_decay,
        wd_incr_steps=spec.batching.train_iters,
        wd_incr_style="constant",
        # A resumed run goes by its own spec; the checkpoint only tells how far it had come.
        use_checkpoint_opt_param_scheduler=False,
        override_opt_param_scheduler=True,
    )


def _check_schedule(spec: ResolvedSpec) -> None:
    wanted, train_iters = spec.optimizer, spec.batching.train_iters
    if wanted.lr_warmup_iters >= train_iters:
        what = f"{wanted.lr_warmup_iters} steps of warm-up do not fit into a run of {train_iters} steps"
        raise SpecInvalid.at("optimizer.lr_warmup_iters", wanted.lr_warmup_iters, what, "warm up for fewer steps")
    if wanted.min_lr > wanted.lr:
        what = f"min_lr {wanted.min_lr} is above lr {wanted.lr}"
        raise SpecInvalid.at("optimizer.min_lr", wanted.min_lr, what, "give a min_lr of at most lr")


def _use_our_adamw() -> None:
    """Let megatron-core 0.16.1 take our AdamW for FusedAdam; it asks these module variables, not a parameter."""
    megatron_optimizer.Adam = AdamW
    megatron_optimizer.USING_PYTORCH_OPTIMIZER = False
    distrib_optimizer.Adam = AdamW
    distrib_optimizer.HAVE_APEX_OR_TE = True
    distrib_optimizer.USING_APEX_OPTIMIZER = True
