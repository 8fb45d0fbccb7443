"""GPTModel for a vocabulary that tensor parallelism does not divide.

Megatron gives every rank equally many rows, so some ranks hold rows of no token. Their logits would enter the softmax
and take probability from real tokens; a model trained so answers differently once the rows are gone. Here they are
masked. Padding every model to a multiple of 128, as Megatron's own scripts do, was rejected for the same reason.
"""

from __future__ import annotations

from typing import Any

import torch
from megatron.core.models.gpt import GPTModel
from torch import Tensor


def padded_vocab_size(vocab_size: int, tensor_model_parallel_size: int) -> int:
    """The smallest size not below `vocab_size` that the tensor-parallel ranks can share equally."""
    return -(-vocab_size // tensor_model_parallel_size) * tensor_model_parallel_size


class PaddedVocabularyGPTModel(GPTModel):
    """A GPTModel whose last `vocab_size - num_tokens` rows of the vocabulary are never predicted."""

    def __init__(self, *args: Any, num_tokens: int, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        rows_per_rank = self.vocab_size // self.tp_group.size()
        self.num_local_tokens = max(0, min(rows_per_rank, num_tokens - self.tp_group.rank() * rows_per_rank))

    def compute_language_model_loss(self, labels: Tensor, logits: Tensor) -> Tensor:
        """Cross entropy over real tokens. labels [b, s], logits [s, b, rows of this rank]; returns [b, s]."""
        # In place: a second copy of the logits is the largest tensor of the step.
        logits[..., self.num_local_tokens :] = torch.finfo(logits.dtype).min
        return super().compute_language_model_loss(labels, logits)
