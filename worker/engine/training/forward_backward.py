"""One pass of a global batch through the model, by Megatron's own schedule, and the loss over all ranks.

The loss is the mean over all trained tokens of the global batch, each with the weight of its message: the weighted sum
divided by the sum of the weights. Without `calculate_per_token_loss` it is the mean over conversations of their own
weighted means. Microbatches come with weights that are scaled so that the divisor is a whole number.
Dividing per microbatch was rejected: it would weigh a token by how its batch happened to be packed.

Shapes: T tokens of a packed microbatch, N of them trained.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import torch
from megatron.core import parallel_state
from megatron.core.distributed import DistributedDataParallel
from megatron.core.pipeline_parallel import get_forward_backward_func
from torch import Tensor

from worker.engine.data import Batch, Microbatch
from worker.engine.model.language_model import TrainedRows
from worker.engine.platform import Platform
from worker.engine.training.data_parallel import divide_gradients


def forward_backward(
    chunks: list[DistributedDataParallel], batch: Batch, platform: Platform, *, forward_only: bool = False
) -> Tensor:
    """Run all microbatches of this rank and return the mean loss of the global batch, in nats: a
    float64 scalar on the device, so that nobody waits for it before the optimizer has its work.

    Collective: all ranks call it and all get the same value. Gradients are left in Megatron's buffers, already summed
    over the ranks and divided like the loss.
    """
    # Each chunk of an interleaved pipeline goes through all microbatches for itself.
    iterators = [(microbatch.to(platform.device) for microbatch in batch.microbatches) for _ in chunks]
    # Megatron's schedule runs no backward pass for `forward_only`, but would keep all that one needs.
    with torch.set_grad_enabled(not forward_only):
        losses = get_forward_backward_func()(
            forward_step_func=_forward_step,
            data_iterator=iterators,
            model=chunks,
            num_microbatches=len(batch.microbatches),
            seq_length=max(microbatch.tokens_1T.shape[1] for microbatch in batch.microbatches),
            micro_batch_size=1,
            forward_only=forward_only,
        )
    if not forward_only:
        divide_gradients(chunks, batch.loss_denominator)
    return _mean_loss(losses, batch.loss_denominator, platform)


def _forward_step(microbatches: Iterator[Microbatch], model: Any) -> tuple[Tensor, Any]:
    microbatch = next(microbatches)
    output = model(
        input_ids=microbatch.tokens_1T,
        position_ids=microbatch.position_ids_1T,
        attention_mask=None,
        labels=microbatch.labels_1T,
        packed_seq_params=microbatch.packed_seq_params(),
        loss_mask=TrainedRows(microbatch.trained_N, microbatch.loss_mask_1T[0].index_select(0, microbatch.trained_N)),
    )
    return output, partial(_loss, microbatch)


def _loss(microbatch: Microbatch, loss_sum: Tensor) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
    """(weighted sum of losses, its divisor as int32, what is logged), of this rank alone. Megatron wants the divisor
    and adds it up; it divides by nothing (data_parallel.py)."""
    # Filled on the device: a tensor made on the host and copied there would make the host wait for the forward pass.
    denominator = torch.full((), microbatch.loss_denominator, dtype=torch.int, device=loss_sum.device)
    return loss_sum, denominator, {"loss_sum": loss_sum.detach()}


def _mean_loss(losses: list[dict[str, Tensor]], denominator: int, platform: Platform) -> Tensor:
    """Only the last pipeline stage has losses, of which context-parallel ranks hold parts; the others add zero."""
    total = torch.zeros(1, dtype=torch.float64, device=platform.device)
    for loss in losses:
        total += loss["loss_sum"]
    data_and_context = parallel_state.get_data_parallel_group(with_context_parallel=True)
    if data_and_context.size() > 1:
        torch.distributed.all_reduce(total, group=data_and_context)
    if parallel_state.get_pipeline_model_parallel_world_size() > 1:
        torch.distributed.all_reduce(total, group=parallel_state.get_pipeline_model_parallel_group())
    return total[0] / denominator
