"""GPTModel as it is trained here: only trained tokens get logits, a chunk at a time, and padded rows are no words.

Megatron's GPTModel makes the logits of all tokens at once, which is the largest tensor of the step, and throws those of
prompts away. It also gives every tensor-parallel rank equally many rows of the vocabulary, so that some hold rows of no
token; their logits would enter the softmax and take probability from real tokens, and a model trained so answers
differently once the rows are gone. Padding every model to a multiple of 128, as Megatron's own scripts do, was rejected
for the same reason.

Shapes: T tokens of the microbatch, N of them trained, H hidden size, V rows of the vocabulary on this rank.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from megatron.core.models.gpt import GPTModel
from megatron.core.tensor_parallel.mappings import (
    copy_to_tensor_model_parallel_region,
    gather_from_sequence_parallel_region,
)
from torch import Tensor

from worker.engine.model.linear_cross_entropy import linear_cross_entropy


@dataclass(frozen=True)
class TrainedRows:
    """Which tokens of a microbatch are learned, and how much each counts."""

    positions_N: Tensor  # int64, growing
    weights_N: Tensor  # float32


def padded_vocab_size(vocab_size: int, tensor_model_parallel_size: int) -> int:
    """The smallest size not below `vocab_size` that the tensor-parallel ranks can share equally."""
    return -(-vocab_size // tensor_model_parallel_size) * tensor_model_parallel_size


class LanguageModel(GPTModel):
    """A GPTModel whose forward pass, given `labels` [1, T] and `loss_mask`, returns the weighted sum of the losses.

    `loss_mask` takes TrainedRows: GPTModel hands that argument through untouched. Rows of the vocabulary from
    `num_tokens` on are never predicted.
    """

    def __init__(self, *args: Any, num_tokens: int, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        rows_per_rank = self.vocab_size // self.tp_group.size()
        self.num_local_tokens = max(0, min(rows_per_rank, num_tokens - self.tp_group.rank() * rows_per_rank))
        self.has_padded_rows = self.num_local_tokens < rows_per_rank

    def compute_language_model_loss(self, labels: Tensor, logits: Tensor) -> Tensor:
        """Cross entropy over real tokens. labels [b, s], logits [s, b, V]; returns [b, s]."""
        if self.has_padded_rows:
            # Below autograd: what is masked so gets a gradient of zero from the softmax itself.
            logits.detach()[..., self.num_local_tokens :] = torch.finfo(logits.dtype).min
        return super().compute_language_model_loss(labels, logits)

    def _postprocess(
        self, hidden_states: Tensor, *, labels: Tensor | None, loss_mask: TrainedRows | None = None, **rest: Any
    ) -> Tensor:
        """What follows the last layer; a scalar where there are labels. Other calls get GPTModel's own answer."""
        if not self.post_process or labels is None or loss_mask is None:
            return super()._postprocess(hidden_states, labels=labels, loss_mask=loss_mask, **rest)
        hidden_NH = self._whole_rows(hidden_states).squeeze(1).index_select(0, loss_mask.positions_N)
        labels_N = labels[0].index_select(0, loss_mask.positions_N)
        weight_VH = (
            self.shared_embedding_or_output_weight()
            if self.share_embeddings_and_output_weights
            else self.output_layer.weight
        )
        return linear_cross_entropy(
            hidden_NH, weight_VH, labels_N, loss_mask.weights_N, self.compute_language_model_loss
        )

    def _whole_rows(self, hidden_states: Tensor) -> Tensor:
        """[T, 1, H]; backwards, the parts of the gradient that the tensor-parallel ranks made are summed."""
        if self.config.sequence_parallel:
            return gather_from_sequence_parallel_region(
                hidden_states, tensor_parallel_output_grad=True, group=self.tp_group
            )
        return copy_to_tensor_model_parallel_region(hidden_states, group=self.tp_group)
