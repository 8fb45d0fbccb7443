"""Data parallelism, optimizer and learning-rate schedule: all Megatron's own, configured from the spec.

Norm weights and biases are not decayed (Megatron's standard). The schedule is stepped after each update, so the first
step of a warm-up uses a learning rate of 0, as in Megatron's own training script and in transformers.
"""

from __future__ import annotations

from typing import Any

import megatron.core.optimizer as megatron_optimizer
import torch
from megatron.core.distributed import DistributedDataParallel, DistributedDataParallelConfig, finalize_model_grads
from megatron.core.optimizer import MegatronOptimizer, OptimizerConfig, distrib_optimizer, get_megatron_optimizer
from megatron.core.optimizer_param_scheduler import OptimizerParamScheduler
from megatron.core.transformer.module import MegatronModule

from tunedeck.errors import SpecInvalid
from tunedeck.resolved import ResolvedSpec
from worker.engine.platform import Platform
from worker.engine.training.adamw import AdamW


def wrap_ddp(chunks: list[MegatronModule], spec: ResolvedSpec) -> list[DistributedDataParallel]:
    """The chunks with gradient buffers in fp32, which are summed over data-parallel ranks at the end of a step.

    Raises SpecInvalid where megatron-core would write checkpoints that are wrong.
    """
    ddp_config = DistributedDataParallelConfig(
        grad_reduce_in_fp32=True,
        use_distributed_optimizer=spec.parallelism.use_distributed_optimizer,
        fp8_param_gather=spec.precision.fp8_param_gather,
    )
    wrapped = [DistributedDataParallel(chunk.config, ddp_config, chunk) for chunk in chunks]
    for chunk in wrapped:
        _check_buckets(chunk)
        chunk.broadcast_params()
        chunk.config.finalize_model_grads_func = finalize_model_grads
    return wrapped


def build_optimizer(
    spec: ResolvedSpec, chunks: list[DistributedDataParallel], platform: Platform
) -> tuple[MegatronOptimizer, OptimizerParamScheduler]:
    """Raises SpecInvalid where the schedule's numbers contradict each other."""
    _check_schedule(spec)
    if platform.device.type == "cpu":
        _use_our_adamw()
    optimizer = get_megatron_optimizer(_optimizer_config(spec), chunks)
    return optimizer, _scheduler(spec, optimizer)


def learning_rate(optimizer: MegatronOptimizer) -> float:
    """The learning rate that the next update will use."""
    return float(next(group["lr"] for group in optimizer.param_groups if group["default_config"]))


def _check_buckets(chunk: DistributedDataParallel) -> None:
    """Refuse sizes at which megatron-core 0.16.1 would save a tied embedding shifted, with no more than a warning.

    Where two pipeline stages share the embedding it lies in a bucket of its own. A checkpoint leaves the padding of the
    buckets before it out, but not out of the place where it then looks for the embedding
    (DistributedOptimizer.sharded_param_state_fully_reshardable). This check can go when that is mended.
    """
    if not chunk.ddp_config.use_distributed_optimizer:
        return
    for buffer in chunk.buffers:
        if any(bucket.numel_unpadded < bucket.grad_data.numel() for bucket in buffer.buckets[:-1]):
            raise SpecInvalid.at(
                "parallelism.use_distributed_optimizer",
                True,
                "the sizes of this model under this layout meet a fault of megatron-core's distributed optimizer: "
                "its checkpoints of the tied embedding would be wrong",
                "set use_distributed_optimizer to false, or pipeline_model_parallel_size to 1",
            )


def _optimizer_config(spec: ResolvedSpec) -> OptimizerConfig:
    wanted = spec.optimizer
    bf16 = spec.precision.params_dtype == "bf16"
    fields: dict[str, Any] = {}
    if spec.precision.fp8_format != "none":
        fields["fp8_recipe"] = spec.precision.fp8_recipe
    return OptimizerConfig(
        optimizer="adam",
        lr=wanted.lr,
        min_lr=wanted.min_lr,
        weight_decay=wanted.weight_decay,
        adam_beta1=wanted.adam_beta1,
        adam_beta2=wanted.adam_beta2,
        adam_eps=wanted.adam_eps,
        clip_grad=wanted.clip_grad,
        bf16=bf16,
        params_dtype=torch.bfloat16 if bf16 else torch.float32,
        use_distributed_optimizer=spec.parallelism.use_distributed_optimizer,
        **fields,
    )


def _scheduler(spec: ResolvedSpec, optimizer: MegatronOptimizer) -> OptimizerParamScheduler:
    wanted = spec.optimizer
    return OptimizerParamScheduler(
        optimizer,
        init_lr=0.0,
        max_lr=wanted.lr,
        min_lr=wanted.min_lr,
        lr_warmup_steps=wanted.lr_warmup_iters,
        lr_decay_steps=spec.batching.train_iters,
        lr_decay_style=wanted.lr_decay_style,
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
