"""Bytes that the forward pass keeps for the backward pass, and what the loss needs on top of them.

Counted by tensors that Transformer Engine's layers save for one token, with h the hidden size, a the width of all
query heads, g that of all key (or value) heads, f that of the MLP: input and output of both norms (4 h), queries, keys
and values as projected (a + 2 g) and turned by RoPE (a + g; values are not turned), the output of attention (a), both
halves of SwiGLU's input (2 f) and its output (f). Attention in blocks keeps no scores.
"""

from __future__ import annotations

from dataclasses import dataclass

from tunedeck.architecture import Architecture
from tunedeck.memory.model_state import SIZE_OF
from tunedeck.resolved import ResolvedParallelism, ResolvedSpec

# As worker/engine/model/linear_cross_entropy.py: logits of so many elements at a time, in their own type, in fp32 for
# the softmax, and as gradients.
LOGITS_PER_CHUNK = 2**28


@dataclass(frozen=True)
class _Widths:
    """Elements per token and layer, on one rank."""

    hidden: float
    queries: float
    keys: float
    mlp: float
    permuted: float
    """Copies of the hidden state on their way to the experts and back."""


def activation_bytes(architecture: Architecture, spec: ResolvedSpec, num_tokens: int) -> int:
    """Of the first pipeline stage for microbatches of `num_tokens`, with as many under way as the schedule has."""
    widths = _widths(architecture, spec.parallelism)
    whole = _bytes_of_layer(widths, spec)
    boundary = widths.hidden * SIZE_OF[spec.precision.params_dtype]
    pipeline = spec.parallelism.pipeline_model_parallel_size
    num_layers = -(-architecture.num_layers // pipeline)
    return int(num_tokens * pipeline * _kept(spec, num_layers, whole, boundary))


def loss_bytes(architecture: Architecture, spec: ResolvedSpec, num_tokens: int) -> int:
    """Logits of one chunk, the inputs of the output layer and their gradients, and room for its weight's gradient."""
    tensor, size = spec.parallelism.tensor_model_parallel_size, SIZE_OF[spec.precision.params_dtype]
    rows_of_vocabulary = architecture.vocab_size // tensor
    logits = min(LOGITS_PER_CHUNK, num_tokens * rows_of_vocabulary) * (size + 4 + size)
    return (
        logits + 2 * num_tokens * architecture.hidden_size * size + rows_of_vocabulary * architecture.hidden_size * size
    )


def _widths(architecture: Architecture, layout: ResolvedParallelism) -> _Widths:
    tensor = layout.tensor_model_parallel_size
    channels = architecture.kv_channels
    experts = architecture.experts
    mlp, copies = architecture.ffn_hidden_size, 0
    if experts:
        mlp, copies = experts.moe_router_topk * experts.moe_ffn_hidden_size, 2 * experts.moe_router_topk
    hidden = architecture.hidden_size / (tensor if layout.sequence_parallel else 1)
    return _Widths(
        hidden=hidden,
        queries=architecture.num_attention_heads * channels / tensor,
        keys=architecture.num_query_groups * channels / tensor,
        mlp=mlp / (layout.expert_tensor_parallel_size if experts else tensor),
        permuted=copies * hidden,
    )


def _bytes_of_layer(widths: _Widths, spec: ResolvedSpec) -> float:
    """FP8 keeps the inputs of its four matrix products in one byte; attention's own output stays beside its copy."""
    size, quantized = SIZE_OF[spec.precision.params_dtype], SIZE_OF["fp8"]
    attention = 3 * widths.queries + 3 * widths.keys
    if spec.precision.fp8_format == "none":
        return size * (4 * widths.hidden + attention + 3 * widths.mlp + widths.permuted)
    swiglu_input = quantized if spec.precision.activation_func_fp8_input_store else size
    products = quantized * (2 * widths.hidden + widths.queries + widths.mlp)
    return products + size * (2 * widths.hidden + attention + widths.permuted) + swiglu_input * 2 * widths.mlp


def _kept(spec: ResolvedSpec, num_layers: int, whole: float, boundary: float) -> float:
    """Bytes per token over the layers of a stage, at the moment of the peak."""
    recompute = spec.recompute
    if recompute.recompute_granularity != "full":
        return num_layers * whole
    if recompute.recompute_method == "block":
        again = min(recompute.recompute_num_layers, num_layers)
        return again * boundary + (num_layers - again) * whole + (whole if again else 0.0)
    group = min(recompute.recompute_num_layers, num_layers)
    return -(-num_layers // group) * boundary + group * whole
