"""Architecture: the facts of a model that its config.json states, checked once.

Only decoders whose mathematics Megatron's GPTModel has in full are read; everything else is refused by name, because a
field that is silently ignored gives a model that trains and answers wrongly. transformers' AutoConfig was rejected: it
fills absent fields with defaults of its own version and may run code of the folder.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal, cast, get_args

from pydantic import BaseModel, ConfigDict, Field

from tunedeck.errors import ModelInvalid, Problem
from worker.engine.model.hf_config import HfConfig, Rope, read_hf_config

HfName = Literal["LlamaForCausalLM", "MistralForCausalLM", "Qwen2ForCausalLM", "Qwen3ForCausalLM"]
HF_NAMES: tuple[str, ...] = get_args(HfName)

# Megatron-core's RotaryEmbedding takes the factor only; the other numbers of the method are constants there.
_LLAMA3_CONSTANTS = {"low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 8192}


class Architecture(BaseModel):
    """A dense decoder with RMSNorm, SwiGLU, rotary positions and grouped-query attention, in Megatron's spelling."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    hf_name: HfName
    num_layers: int = Field(ge=1)
    hidden_size: int = Field(ge=1)
    ffn_hidden_size: int = Field(ge=1)
    num_attention_heads: int = Field(ge=1)
    num_query_groups: int = Field(ge=1)
    kv_channels: int = Field(ge=1, description="width of one attention head")
    vocab_size: int = Field(ge=1)
    max_position_embeddings: int = Field(ge=1)
    layernorm_epsilon: float = Field(gt=0)
    rotary_base: float = Field(gt=0)
    rope_scaling_factor: float = Field(gt=0, description="1: none; otherwise the factor of Llama 3's scaling")
    tied_embeddings: bool
    qkv_bias: bool
    qk_layernorm: bool


def read_architecture(path: Path) -> Architecture:
    """Read config.json of a Hugging Face folder. Raises ModelInvalid naming the field and the value at fault."""
    config = read_hf_config(path)
    hf_name = _hf_name(config)
    _refuse_extensions(config)
    _check_rope(config.rope)
    return Architecture(
        hf_name=hf_name,
        num_layers=config.num_hidden_layers,
        hidden_size=config.hidden_size,
        ffn_hidden_size=config.intermediate_size,
        num_attention_heads=config.num_attention_heads,
        num_query_groups=_num_query_groups(config),
        kv_channels=_kv_channels(config, hf_name),
        vocab_size=config.vocab_size,
        max_position_embeddings=config.max_position_embeddings,
        layernorm_epsilon=config.rms_norm_eps,
        rotary_base=config.rope.rope_theta or config.rope_theta,
        rope_scaling_factor=config.rope.factor if config.rope.rope_type == "llama3" else 1.0,
        tied_embeddings=config.tie_word_embeddings,
        qkv_bias=hf_name == "Qwen2ForCausalLM",
        qk_layernorm=hf_name == "Qwen3ForCausalLM",
    )


def _hf_name(config: HfConfig) -> HfName:
    match config.architectures:
        case [name] if name in HF_NAMES:
            return cast(HfName, name)
    raise _refusal("architectures", config.architectures, "is not an architecture that can be trained here")


def _refuse_extensions(config: HfConfig) -> None:
    """Refuse every field that changes the mathematics and that GPTModel, as we build it, would not follow."""
    faults = {
        "auto_map": bool(config.auto_map),
        "quantization_config": bool(config.quantization_config),
        "hidden_act": config.hidden_act != "silu",
        "attention_bias": config.attention_bias,
        "mlp_bias": config.mlp_bias,
        "partial_rotary_factor": config.partial_rotary_factor != 1.0,
        # Qwen configs carry a window that `use_sliding_window` switches; in Mistral's, a number is enough.
        "sliding_window": config.sliding_window is not None and config.use_sliding_window,
        "layer_types": any(kind != "full_attention" for kind in config.layer_types or ()),
    }
    for field, at_fault in faults.items():
        if at_fault:
            raise _refusal(field, getattr(config, field), "is not supported")


def _check_rope(rope: Rope) -> None:
    if rope.rope_type == "default":
        return
    if rope.rope_type != "llama3":
        raise _refusal("rope_type", rope.rope_type, "is not supported; only default and llama3 are")
    for field, constant in _LLAMA3_CONSTANTS.items():
        if getattr(rope, field) != constant:
            raise _refusal(field, getattr(rope, field), f"is not supported; only {constant:g} is")


def _num_query_groups(config: HfConfig) -> int:
    heads, groups = config.num_attention_heads, config.num_key_value_heads or config.num_attention_heads
    if heads % groups:
        raise _refusal("num_key_value_heads", groups, f"does not divide num_attention_heads = {heads}")
    return groups


def _kv_channels(config: HfConfig, hf_name: HfName) -> int:
    if config.head_dim is None and hf_name == "Qwen3ForCausalLM":
        # transformers would take 128 here, whatever the hidden size; a guess is not good enough for weights.
        raise _refusal("head_dim", None, "is missing")
    return config.head_dim or config.hidden_size // config.num_attention_heads


def _refusal(field: str, value: object, what: str) -> ModelInvalid:
    message = f"config.json: {field} = {json.dumps(value)} {what}"
    mend = f"use a {', '.join(HF_NAMES)} model without such an extension"
    return ModelInvalid(message, mend, (Problem(field, value, message, mend),))
