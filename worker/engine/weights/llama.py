"""Llama and Mistral: the table that the other decoders extend.

A table has one Entry per parameter of Megatron's model. A norm has two Megatron names: its own in the local layer spec,
and one inside the linear layer that Transformer Engine fuses it into.
"""

from __future__ import annotations

from dataclasses import dataclass

from tunedeck.architecture import Architecture
from worker.engine.weights.layout import Columns, GateUp, Layout, QueryKeyValue, Replicated, Vocabulary


@dataclass(frozen=True)
class Entry:
    """Megatron's names for a parameter (any one of them), the Hugging Face tensors it is made of, and how.

    The parameters of an expert are cut over the ranks of expert-tensor parallelism, all others over those of tensor
    parallelism.
    """

    megatron_names: tuple[str, ...]
    hf_names: tuple[str, ...]
    layout: Layout
    is_expert: bool = False


def outer_entries(architecture: Architecture) -> list[Entry]:
    """Embedding, last norm and output layer, in the order in which transformers writes them."""
    vocabulary = Vocabulary(architecture.vocab_size, architecture.hidden_size)
    entries = [
        Entry(("embedding.word_embeddings.weight",), ("model.embed_tokens.weight",), vocabulary),
        Entry(("decoder.final_layernorm.weight",), ("model.norm.weight",), Replicated((architecture.hidden_size,))),
    ]
    # Tied: only the last of several pipeline stages holds an output layer, which is a copy of the embedding.
    output = "model.embed_tokens.weight" if architecture.tied_embeddings else "lm_head.weight"
    return [*entries, Entry(("output_layer.weight",), (output,), vocabulary)]


def layer_entries(architecture: Architecture) -> list[Entry]:
    """Names relative to one layer: `decoder.layers.N.` at Megatron, `model.layers.N.` at Hugging Face."""
    hidden, ffn = architecture.hidden_size, architecture.ffn_hidden_size
    heads_width = architecture.num_attention_heads * architecture.kv_channels
    return [
        Entry(
            ("input_layernorm.weight", "self_attention.linear_qkv.layer_norm_weight"),
            ("input_layernorm.weight",),
            Replicated((hidden,)),
        ),
        Entry(
            ("self_attention.linear_qkv.weight",),
            ("self_attn.q_proj.weight", "self_attn.k_proj.weight", "self_attn.v_proj.weight"),
            query_key_value(architecture, hidden),
        ),
        Entry(("self_attention.linear_proj.weight",), ("self_attn.o_proj.weight",), Columns(hidden, heads_width)),
        Entry(
            ("pre_mlp_layernorm.weight", "mlp.linear_fc1.layer_norm_weight"),
            ("post_attention_layernorm.weight",),
            Replicated((hidden,)),
        ),
        Entry(("mlp.linear_fc1.weight",), ("mlp.gate_proj.weight", "mlp.up_proj.weight"), GateUp(ffn, hidden)),
        Entry(("mlp.linear_fc2.weight",), ("mlp.down_proj.weight",), Columns(hidden, ffn)),
    ]


def query_key_value(architecture: Architecture, num_inputs: int) -> QueryKeyValue:
    return QueryKeyValue(
        architecture.num_attention_heads, architecture.num_query_groups, architecture.kv_channels, num_inputs
    )
