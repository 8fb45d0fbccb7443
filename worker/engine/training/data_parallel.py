"""Data parallelism: Megatron's own DistributedDataParallel, configured from the spec."""

from __future__ import annotations

from typing import Any

import torch
from megatron.core.distributed import DistributedDataParallel, DistributedDataParallelConfig, finalize_model_grads
from megatron.core.optimizer import MegatronOptimizer
from megatron.core.transformer.module import MegatronModule

from tunedeck.errors import SpecInvalid
from tunedeck.resolved import ResolvedSpec


def wrap_ddp(chunks: list[MegatronModule], spec: ResolvedSpec) -> list[DistributedDataParallel]:
    """The chunks with gradient buffers, which are summed over data-parallel ranks at the end of a step, or as soon as
    they are complete.

    Raises SpecInvalid where megatron-core would write checkpoints that are wrong.
    """
    config = ddp_config(spec)
    wrapped = [DistributedDataParallel(chunk.config, config, chunk) for chunk in chunks]
    for chunk in wrapped:
        _check_buckets(chunk)
        chunk.broadcast_params()
        chunk.config.finalize_model_grads_func = _finalize_sums
        if config.overlap_grad_reduce:
            # Only the last microbatch may send its gradients off.
            chunk.config.no_sync_func = [each.no_sync for each in wrapped] if len(wrapped) > 1 else chunk.no_sync
    return wrapped


def ddp_config(spec: ResolvedSpec) -> DistributedDataParallelConfig:
    layout, precision = spec.parallelism, spec.precision
    return DistributedDataParallelConfig(
        grad_reduce_in_fp32=precision.accumulate_allreduce_grads_in_fp32,
        overlap_grad_reduce=layout.overlap_grad_reduce,
        overlap_param_gather=layout.overlap_param_gather,
        use_distributed_optimizer=layout.use_distributed_optimizer,
        fp8_param_gather=precision.fp8_param_gather,
        reuse_grad_buf_for_mxfp8_param_ag=precision.reuse_grad_buf_for_mxfp8_param_ag,
    )


def divide_gradients(chunks: list[DistributedDataParallel], divisor: int) -> None:
    """From the sum over a global batch to its mean. To be called after the backward pass."""
    for chunk in chunks:
        chunk.scale_gradients(1.0 / divisor)


def _finalize_sums(chunks: list[Any], _num_tokens: torch.Tensor | None, **rest: Any) -> None:
    """Megatron's finalize_model_grads without its division, for which it would ask the device for the number of
    trained tokens and so wait until the backward pass is done. The host has known that number all the time."""
    finalize_model_grads(chunks, None, **rest)


def zero_gradients(chunks: list[DistributedDataParallel], optimizer: MegatronOptimizer) -> None:
    """To be called before each step."""
    for chunk in chunks:
        chunk.zero_grad_buffer()
    optimizer.zero_grad()
    config = chunks[0].ddp_config
    shares_buffer = config.reuse_grad_buf_for_mxfp8_param_ag and config.overlap_param_gather
    if shares_buffer and not _are_gathered(chunks):
        # The updated weights travel in the gradients' own buffer, which has only now been emptied.
        for each in getattr(optimizer, "chained_optimizers", [optimizer]):
            each._copy_main_params_to_param_buffer()


def gather_params(chunks: list[DistributedDataParallel], optimizer: MegatronOptimizer) -> None:
    """Complete the parameters of this rank; collective. With `overlap_param_gather` an update leaves them to be
    gathered by the next forward pass of the training; whoever reads them before that calls this first.

    DistributedDataParallel.start_param_sync(force_sync=True) was rejected: under overlap it leaves out what FP8 weights
    need after they were gathered.
    """
    config = chunks[0].ddp_config
    if not config.overlap_param_gather or _are_gathered(chunks):
        return
    if config.reuse_grad_buf_for_mxfp8_param_ag:
        zero_gradients(chunks, optimizer)
    for chunk in chunks:
        for group in _bucket_groups(chunk):
            group.finish_param_sync(skip_next_bucket_dispatch=True)


def _are_gathered(chunks: list[DistributedDataParallel]) -> bool:
    """Whether nothing has been updated since the last gathering, of which each backward pass makes an end."""
    return all(group.param_gather_dispatched for chunk in chunks for group in _bucket_groups(chunk))


def _bucket_groups(chunk: DistributedDataParallel) -> list[Any]:
    return [*chunk.bucket_groups, *chunk.expert_parallel_bucket_groups]


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
