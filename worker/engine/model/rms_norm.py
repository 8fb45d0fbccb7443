"""RMSNorm for the local layer spec, with the mark that sequence parallelism needs.

Megatron's WrappedTorchNorm refuses sequence parallelism, because torch's RMSNorm does not tell the optimizer that each
rank has seen only its share of the tokens. One attribute on the weight does.
"""

from __future__ import annotations

import torch
from megatron.core.transformer import TransformerConfig


class RMSNorm(torch.nn.RMSNorm):
    """Normalises the last dimension by its root mean square; weight [hidden_size] of config.params_dtype."""

    def __init__(self, config: TransformerConfig, hidden_size: int, eps: float = 1e-5) -> None:
        super().__init__(hidden_size, eps=eps, dtype=config.params_dtype)
        # finalize_model_grads sums the gradients of so marked parameters over the tensor-parallel ranks.
        self.weight.sequence_parallel = config.sequence_parallel  # type: ignore[attr-defined]
