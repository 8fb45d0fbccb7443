"""Qwen2 and Qwen2.5: Llama with a bias on query, key and value."""

from __future__ import annotations

from tunedeck.architecture import Architecture
from worker.engine.weights import llama
from worker.engine.weights.llama import Entry


def layer_entries(architecture: Architecture) -> list[Entry]:
    """Llama's entries and the joint bias."""
    bias = Entry(
        ("self_attention.linear_qkv.bias",),
        ("self_attn.q_proj.bias", "self_attn.k_proj.bias", "self_attn.v_proj.bias"),
        llama.query_key_value(architecture, num_inputs=0),
    )
    return [*llama.layer_entries(architecture), bias]
