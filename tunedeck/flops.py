"""Floating-point operations of a decoder, exactly: grouped-query heads of their own width, packed documents, experts.

A multiplication and an addition are two operations. Counted are the matrix products alone, as everybody does: norms,
softmax, rotary embedding and the embedding look-up are below 1%. Of attention only the causal half is counted, summed
document by document: a token attends to itself and to what stands before it in its own document. The estimate
6 · parameters · tokens was rejected: it leaves attention out, counts the embedding as a product, and all experts.

What recomputation does again is not counted, so that "model FLOP" means the same with and without it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tunedeck.architecture import Architecture

# The backward pass makes two products, one for each factor, where the forward pass makes one.
TRAINING_OVER_FORWARD = 3


@dataclass(frozen=True)
class Work:
    """What a model has to do. `num_pairs`: pairs of a token and one it attends to, `causal_pairs` of all documents.
    `num_logits`: tokens that go through the output layer; the engine leaves out those that are not trained."""

    num_tokens: int
    num_pairs: int
    num_logits: int


def causal_pairs(document_lengths: Sequence[int]) -> int:
    """Σ L (L + 1) / 2 over documents of L tokens."""
    return sum(length * (length + 1) // 2 for length in document_lengths)


def forward_flops(model: Architecture, work: Work) -> int:
    """Operations of one forward pass of the whole model, over all ranks."""
    return (
        work.num_tokens * model.num_layers * _layer_flops_per_token(model)
        + work.num_pairs * model.num_layers * _flops_per_pair(model)
        + work.num_logits * 2 * model.hidden_size * model.vocab_size
    )


def training_flops(model: Architecture, work: Work) -> int:
    """Operations of forward and backward pass."""
    return TRAINING_OVER_FORWARD * forward_flops(model, work)


def _layer_flops_per_token(model: Architecture) -> int:
    """Projections and MLP: two operations for each weight that a token meets."""
    heads, groups, width = model.num_attention_heads, model.num_query_groups, model.kv_channels
    attention = model.hidden_size * width * (2 * heads + 2 * groups)  # query, output; key, value
    return 2 * (attention + _mlp_weights_per_token(model))


def _mlp_weights_per_token(model: Architecture) -> int:
    """SwiGLU has three matrices. Of experts, those that a token is sent to, and the router."""
    if model.experts is None:
        return 3 * model.hidden_size * model.ffn_hidden_size
    experts = model.experts
    chosen = experts.moe_router_topk * 3 * model.hidden_size * experts.moe_ffn_hidden_size
    return chosen + model.hidden_size * experts.num_moe_experts


def _flops_per_pair(model: Architecture) -> int:
    """Query · key, and weight · value, in every query head."""
    return 2 * 2 * model.kv_channels * model.num_attention_heads
