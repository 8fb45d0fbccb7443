"""How many parameters the fullest rank holds, parted as tensor, pipeline and expert parallelism part them."""

from __future__ import annotations

from dataclasses import dataclass

from tunedeck.architecture import Architecture
from tunedeck.resolved import ResolvedParallelism


@dataclass(frozen=True)
class LocalParameters:
    """Numbers of parameters of one rank. `linear` are the matrices that FP8 applies to, experts included."""

    embedding: int
    linear: int
    experts: int
    """Those of `linear` that expert parallelism has parted: fewer ranks share their optimizer state."""

    @property
    def total(self) -> int:
        return self.embedding + self.linear


def local_parameters(architecture: Architecture, layout: ResolvedParallelism) -> LocalParameters:
    """Of the first pipeline stage, which has the embedding and as many layers as any. Norms and biases do not count."""
    tensor, pipeline = layout.tensor_model_parallel_size, layout.pipeline_model_parallel_size
    num_layers = -(-architecture.num_layers // pipeline)
    vocabulary = architecture.vocab_size * architecture.hidden_size // tensor
    has_both_ends = pipeline == 1 and not architecture.tied_embeddings
    experts = num_layers * _experts_of_layer(architecture, layout)
    dense = num_layers * (attention_of_layer(architecture) + _mlp_of_layer(architecture)) // tensor
    return LocalParameters(vocabulary * (2 if has_both_ends else 1), dense + experts, experts)


def attention_of_layer(architecture: Architecture) -> int:
    """Parameters of the projections to queries, keys and values and of the one back to the hidden size."""
    heads, groups = architecture.num_attention_heads, architecture.num_query_groups
    return architecture.hidden_size * architecture.kv_channels * (2 * heads + 2 * groups)


def _mlp_of_layer(architecture: Architecture) -> int:
    """A SwiGLU has three matrices; beside experts there is none, only the router."""
    if architecture.experts is None:
        return 3 * architecture.hidden_size * architecture.ffn_hidden_size
    return architecture.hidden_size * architecture.experts.num_moe_experts


def _experts_of_layer(architecture: Architecture, layout: ResolvedParallelism) -> int:
    experts = architecture.experts
    if experts is None:
        return 0
    parameters = 3 * architecture.hidden_size * experts.moe_ffn_hidden_size * experts.num_moe_experts
    return parameters // (layout.expert_model_parallel_size * layout.expert_tensor_parallel_size)
