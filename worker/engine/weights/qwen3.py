"""Qwen3: Llama with a norm on each query head and each key head."""

from __future__ import annotations

from tunedeck.architecture import Architecture
from worker.engine.weights import llama
from worker.engine.weights.layout import Replicated
from worker.engine.weights.llama import Entry


def layer_entries(architecture: Architecture) -> list[Entry]:
    """Llama's entries and the two norms over the channels of a head."""
    norm = Replicated((architecture.kv_channels,))
    return [
        *llama.layer_entries(architecture),
        Entry(("self_attention.q_layernorm.weight",), ("self_attn.q_norm.weight",), norm),
        Entry(("self_attention.k_layernorm.weight",), ("self_attn.k_norm.weight",), norm),
    ]
