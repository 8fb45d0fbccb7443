"""A tiny mixture of experts with the tokenizer of the other tiny models."""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import Qwen3MoeConfig, Qwen3MoeForCausalLM

from tests.engine.tiny import VOCAB_SIZE, write_model


def write_moe_model(folder: Path) -> Path:
    """Write a random Qwen3-MoE of two layers with four experts, two of them for each token."""
    write_model(folder)
    torch.manual_seed(1)
    config = Qwen3MoeConfig(
        vocab_size=VOCAB_SIZE,
        hidden_size=32,
        intermediate_size=64,
        moe_intermediate_size=24,
        num_experts=4,
        num_experts_per_tok=2,
        norm_topk_prob=True,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=16,
        max_position_embeddings=512,
        initializer_range=0.1,
    )
    Qwen3MoeForCausalLM(config).save_pretrained(folder)
    return folder
