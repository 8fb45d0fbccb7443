"""Random Hugging Face models of every supported architecture, and the logits transformers gives for a pack."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import (
    AutoModelForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    PretrainedConfig,
    PreTrainedModel,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
    Qwen3MoeConfig,
    Qwen3MoeForCausalLM,
)

# An odd vocabulary: tensor parallelism has to pad it. Four heads share two key-value heads.
SIZES = {
    "vocab_size": 211,
    "hidden_size": 48,
    "intermediate_size": 80,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 128,
    "initializer_range": 0.2,
}
LLAMA3_ROPE = {
    "rope_type": "llama3",
    "rope_theta": 10000.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 8192,
}
MOE = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 24}
KINDS: dict[str, tuple[type[PreTrainedModel], type[PretrainedConfig], dict[str, Any]]] = {
    "llama-untied": (LlamaForCausalLM, LlamaConfig, {"tie_word_embeddings": False}),
    "llama3-scaled-rope": (LlamaForCausalLM, LlamaConfig, {"rope_parameters": LLAMA3_ROPE}),
    "mistral": (MistralForCausalLM, MistralConfig, {"sliding_window": None, "head_dim": 16}),
    "qwen2-bias": (Qwen2ForCausalLM, Qwen2Config, {"tie_word_embeddings": False}),
    "qwen3-moe": (
        Qwen3MoeForCausalLM,
        Qwen3MoeConfig,
        {**MOE, "norm_topk_prob": True, "tie_word_embeddings": False, "head_dim": 16},
    ),
    "qwen3-moe, plain softmax": (Qwen3MoeForCausalLM, Qwen3MoeConfig, {**MOE, "norm_topk_prob": False, "head_dim": 16}),
    "qwen3-tied": (Qwen3ForCausalLM, Qwen3Config, {"tie_word_embeddings": True, "head_dim": 16}),
    "qwen3, four layers": (Qwen3ForCausalLM, Qwen3Config, {"num_hidden_layers": 4, "head_dim": 16}),
}
BOUNDS = (0, 5, 6, 22, 40)
"""Where the sequences of the pack begin and end."""


def write_hf_model(folder: Path, kind: str, dtype: torch.dtype = torch.float32, **config: Any) -> Path:
    """Write a random model of `kind`; biases and norms are random too, so that a lost one is seen."""
    model_type, config_type, fields = KINDS[kind]
    torch.manual_seed(3)
    model = model_type(config_type(**{**SIZES, **fields, **config})).to(dtype)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() == 1:
                parameter.uniform_(0.5, 1.5)
    model.save_pretrained(folder)
    return folder


def pack(vocab_size: int = SIZES["vocab_size"]) -> Tensor:
    """Token ids [1, T] of the sequences that BOUNDS delimits."""
    return torch.randint(vocab_size, (1, BOUNDS[-1]), generator=torch.Generator().manual_seed(5))


def transformers_logits(folder: Path, tokens_1T: Tensor) -> Tensor:
    """fp32 logits [1, T, V], each sequence of the pack run by itself."""
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    with torch.no_grad():
        return torch.cat([model(tokens_1T[:, start:end]).logits for start, end in pairwise(BOUNDS)], dim=1)
