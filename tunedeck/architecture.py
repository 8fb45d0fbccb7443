"""Architecture: the facts of a model that its config.json states, checked once.

The backend asks for them before it takes a model, the engine before it builds one, so both refuse the same ones. Only
decoders whose mathematics Megatron's GPTModel has in full are read; everything else is refused by name, because a field
that is silently ignored gives a model that trains and answers wrongly. transformers' AutoConfig was rejected: it fills
absent fields with defaults of its own version, may run code of the folder, and the backend does without transformers.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, cast, get_args

from pydantic import BaseModel, ConfigDict, Field

from tunedeck.errors import ModelInvalid, Problem
from tunedeck.hf_config import COPY_AGAIN, HfConfig, Rope, hf_config

HfName = Literal[
    "LlamaForCausalLM", "MistralForCausalLM", "Qwen2ForCausalLM", "Qwen3ForCausalLM", "Qwen3MoeForCausalLM"
]
HF_NAMES: tuple[str, ...] = get_args(HfName)
_QWEN3 = ("Qwen3ForCausalLM", "Qwen3MoeForCausalLM")

# Megatron-core's RotaryEmbedding takes the factor only; the other numbers of the method are constants there.
_LLAMA3_CONSTANTS = {"low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 8192}


class Experts(BaseModel):
    """The mixture of experts of every layer. Each token goes to `moe_router_topk` of `num_moe_experts` SwiGLUs."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    num_moe_experts: int = Field(ge=1)
    moe_router_topk: int = Field(ge=1)
    moe_ffn_hidden_size: int = Field(ge=1, description="width of one expert")
    norm_topk_prob: bool = Field(description="whether the weights of the chosen experts are scaled to a sum of 1")


class Architecture(BaseModel):
    """A decoder with RMSNorm, SwiGLU, rotary positions and grouped-query attention, in Megatron's spelling."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    hf_name: HfName
    num_layers: int = Field(ge=1)
    hidden_size: int = Field(ge=1)
    ffn_hidden_size: int = Field(ge=1, description="width of a dense layer's SwiGLU; without effect beside experts")
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
    experts: Experts | None = Field(None, description="None: a dense model")


def read_architecture(path: Path) -> Architecture:
    """Read config.json of a Hugging Face folder. Raises ModelInvalid naming the field and the value at fault."""
    file = path / "config.json"
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ModelInvalid(f"model {path} has no config.json", "give the folder that save_pretrained wrote") from error
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ModelInvalid(f"{file} is not JSON: {error}", COPY_AGAIN) from error
    return architecture_of(config)


def architecture_of(content: Mapping[str, Any]) -> Architecture:
    """What the content of a config.json states. Raises ModelInvalid naming the field and the value at fault."""
    config = hf_config(content)
    hf_name = _hf_name(config)
    _refuse_extensions(config, hf_name)
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
        qk_layernorm=hf_name in _QWEN3,
        experts=_experts(config) if hf_name == "Qwen3MoeForCausalLM" else None,
    )


def _hf_name(config: HfConfig) -> HfName:
    match config.architectures:
        case [name] if name in HF_NAMES:
            return cast(HfName, name)
    raise _refusal("architectures", config.architectures, "is not an architecture that can be trained here")


def _refuse_extensions(config: HfConfig, hf_name: HfName) -> None:
    """Refuse every field that changes the mathematics and that GPTModel, as we build it, would not follow."""
    faults = {
        "auto_map": bool(config.auto_map),
        "quantization_config": bool(config.quantization_config),
        "hidden_act": config.hidden_act != "silu",
        "attention_bias": config.attention_bias,
        "mlp_bias": config.mlp_bias,
        "partial_rotary_factor": config.partial_rotary_factor != 1.0,
        "layer_types": any(kind != "full_attention" for kind in config.layer_types or ()),
        "sliding_window": _window_is_used(config, hf_name),
    }
    for field, at_fault in faults.items():
        if at_fault:
            raise _refusal(field, getattr(config, field), "is not supported")


def _window_is_used(config: HfConfig, hf_name: HfName) -> bool:
    """Qwen configs carry a window that `use_sliding_window` switches, for the layers from `max_window_layers` on; in
    others a number is enough."""
    if config.sliding_window is None:
        return False
    if not hf_name.startswith("Qwen"):
        return config.use_sliding_window is not False
    if not config.use_sliding_window:
        return False
    return config.max_window_layers is None or config.max_window_layers < config.num_hidden_layers


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
    if config.head_dim is None and hf_name in _QWEN3:
        # transformers would take 128 here, whatever the hidden size; a guess is not good enough for weights.
        raise _refusal("head_dim", None, "is missing")
    return config.head_dim or config.hidden_size // config.num_attention_heads


def _experts(config: HfConfig) -> Experts:
    """Raises ModelInvalid for dense layers between those with experts: no published model has them."""
    sizes: dict[str, int] = {}
    for field in ("num_experts", "num_experts_per_tok", "moe_intermediate_size"):
        value = getattr(config, field)
        if value is None:
            raise _refusal(field, None, "is missing")
        sizes[field] = value
    if config.decoder_sparse_step != 1:
        raise _refusal("decoder_sparse_step", config.decoder_sparse_step, "is not supported; only 1 is")
    if config.mlp_only_layers:
        raise _refusal("mlp_only_layers", config.mlp_only_layers, "is not supported; every layer must have experts")
    if sizes["num_experts_per_tok"] > sizes["num_experts"]:
        raise _refusal("num_experts_per_tok", sizes["num_experts_per_tok"], "is more than num_experts")
    return Experts(
        num_moe_experts=sizes["num_experts"],
        moe_router_topk=sizes["num_experts_per_tok"],
        moe_ffn_hidden_size=sizes["moe_intermediate_size"],
        norm_topk_prob=config.norm_topk_prob,
    )


def _refusal(field: str, value: object, what: str) -> ModelInvalid:
    message = f"config.json: {field} = {json.dumps(value)} {what}"
    mend = f"use a {', '.join(HF_NAMES)} model without such an extension"
    return ModelInvalid(message, mend, (Problem(field, value, message, mend),))
