"""The losses of a mixture of experts beside that of the tokens: how unevenly the router deals tokens out, and how large
its logits are. Megatron-core computes them and adds their gradients; here they get their weights, and are told.

A coefficient is the weight of the mean over all tokens of a global batch, padding included, summed over layers. For
that megatron-core (0.16.1) has to be told another number for each batch: with the loss per token it multiplies the loss
of a microbatch by the tokens that *this rank* has of it, and divides all by the *trained* tokens of the global batch
(MoEAuxLossAutoScaler, finalize_model_grads). Handing the coefficients on as they are was rejected: they would weigh
more the more of a conversation is prompt, and less the more ranks share a microbatch.
"""

from __future__ import annotations

import torch
from megatron.core import parallel_state
from megatron.core.distributed import DistributedDataParallel
from megatron.core.transformer.moe.moe_utils import clear_aux_losses_tracker, get_moe_layer_wise_logging_tracker
from torch import Tensor

from tunedeck.resolved import ResolvedExperts
from worker.engine.data import Batch
from worker.engine.platform import Platform

# Our names are Megatron's own. Whether the ranks that share a microbatch hold parts of a sum, or means of their own.
_IS_SUM_OF_RANKS = {"load_balancing_loss": True, "z_loss": False}


class ExpertLosses:
    """Once a step: `begin` before forward and backward, `take` after. A dense model has none."""

    def __init__(self, wanted: ResolvedExperts, chunks: list[DistributedDataParallel], platform: Platform) -> None:
        self._wanted = wanted
        self._configs = [chunk.config for chunk in chunks]
        self._platform = platform
        coefficients = {"load_balancing_loss": wanted.moe_aux_loss_coeff, "z_loss": wanted.moe_z_loss_coeff}
        self._names = [name for name, coefficient in coefficients.items() if coefficient]

    def begin(self, batch: Batch) -> None:
        if not self._names:
            return
        num_all_tokens = batch.num_tokens + batch.num_padded_tokens
        scale = batch.loss_denominator / num_all_tokens * _num_sharing_ranks()
        for config in self._configs:
            config.moe_aux_loss_coeff = self._wanted.moe_aux_loss_coeff * scale
            config.moe_z_loss_coeff = self._wanted.moe_z_loss_coeff * scale or None

    def take(self, batch: Batch) -> Tensor:
        """The losses of this batch without their coefficients, in the order of `told`: float64 on the device, the mean
        over microbatches and layers. Collective."""
        losses = torch.zeros(len(self._names), dtype=torch.float64, device=self._platform.device)
        if not self._names:
            return losses
        tracker = get_moe_layer_wise_logging_tracker()
        for index, name in enumerate(self._names):
            if name in tracker:  # not on a pipeline stage without layers
                num_parts = 1 if _IS_SUM_OF_RANKS[name] else _num_sharing_ranks()
                losses[index] = tracker[name]["values"].sum() / num_parts
        clear_aux_losses_tracker()
        torch.distributed.all_reduce(losses)
        num_microbatches = len(batch.microbatches) * parallel_state.get_data_parallel_world_size()
        return losses / (num_microbatches * self._configs[0].num_layers)

    def told(self, losses: Tensor) -> dict[str, float]:
        """By the names in tunedeck/metrics.py. Waits for the device."""
        return dict(zip(self._names, losses.tolist(), strict=True))


def _num_sharing_ranks() -> int:
    """Ranks that each have a part of the tokens of a microbatch: tensor-parallel ones too, as experts see it."""
    context: int = parallel_state.get_context_parallel_world_size()
    tensor: int = parallel_state.get_tensor_model_parallel_world_size()
    return context * tensor
