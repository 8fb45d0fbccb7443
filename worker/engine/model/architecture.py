"""Architecture: the facts of a model that its config.json states, checked once.

Only decoders whose mathematics Megatron's GPTModel has in full are read; everything else is refused by name, because a
field that is silently ignored gives a model that trains and answers wrongly. transformers' AutoConfig was rejected: it
fills absent fields with defaults of its own version and may run code of the folder.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tunedeck.errors import ModelInvalid, Problem

HfName = Literal["LlamaForCausalLM", "MistralForCausalLM", "Qwen2ForCausalLM", "Qwen3ForCausalLM"]
HF_NAMES: tuple[str, ...] = HfName.__args__  # type: ignore[attr-defined]

# Megatron-core's RotaryEmbedding takes the factor only; the other numbers of the method are constants there.
_LLAMA3_CONSTANTS = {"low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 8192}

_SUPPORTED = f"use one of {', '.join(HF_NAMES)} without these extensions"


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
    config = _read_json(path / "config.json")
    hf_name = _hf_name(config)
    _refuse_extensions(config)
    rotary_base, rope_scaling_factor = _rope(config)
    num_attention_heads = _required(config, "num_attention_heads")
    fields = {
        "hf_name": hf_name,
        "num_layers": _required(config, "num_hidden_layers"),
        "hidden_size": _required(config, "hidden_size"),
        "ffn_hidden_size": _required(config, "intermediate_size"),
        "num_attention_heads": num_attention_heads,
        "num_query_groups": config.get("num_key_value_heads") or num_attention_heads,
        "kv_channels": _head_dim(config, hf_name),
        "vocab_size": _required(config, "vocab_size"),
        "max_position_embeddings": _required(config, "max_position_embeddings"),
        "layernorm_epsilon": _required(config, "rms_norm_eps"),
        "rotary_base": rotary_base,
        "rope_scaling_factor": rope_scaling_factor,
        "tied_embeddings": config.get("tie_word_embeddings", False),
        "qkv_bias": hf_name == "Qwen2ForCausalLM",
        "qk_layernorm": hf_name == "Qwen3ForCausalLM",
    }
    try:
        architecture = Architecture.model_validate(fields)
    except ValidationError as error:
        raise _invalid_fields(error) from error
    _check_heads(architecture)
    return architecture


def _read_json(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise _refusal(
            "", str(file.parent), "has no config.json", "give the folder that save_pretrained wrote"
        ) from error
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise _refusal("", str(file), f"is not JSON ({error})", "copy the file again from its source") from error
    if not isinstance(content, dict):
        raise _refusal("", str(file), "is not a JSON object", "copy the file again from its source")
    return content


def _hf_name(config: dict[str, Any]) -> str:
    names = config.get("architectures")
    if isinstance(names, list) and len(names) == 1 and names[0] in HF_NAMES:
        return str(names[0])
    raise _refusal("architectures", names, "is not an architecture that can be trained here", _SUPPORTED)


def _refuse_extensions(config: dict[str, Any]) -> None:
    """Refuse every field that changes the mathematics and that GPTModel, as we build it, would not follow."""
    layer_types = config.get("layer_types") or []
    faults = {
        "auto_map": bool(config.get("auto_map")),
        "quantization_config": bool(config.get("quantization_config")),
        "hidden_act": config.get("hidden_act", "silu") != "silu",
        "attention_bias": bool(config.get("attention_bias")),
        "mlp_bias": bool(config.get("mlp_bias")),
        "partial_rotary_factor": config.get("partial_rotary_factor", 1.0) != 1.0,
        "sliding_window": _uses_sliding_window(config),
        "layer_types": any(kind != "full_attention" for kind in layer_types),
    }
    for field, at_fault in faults.items():
        if at_fault:
            raise _refusal(field, config.get(field), "is not supported", _SUPPORTED)


def _uses_sliding_window(config: dict[str, Any]) -> bool:
    """Qwen configs carry a window that `use_sliding_window` switches; in Mistral's, a number is enough."""
    return config.get("sliding_window") is not None and bool(config.get("use_sliding_window", True))


def _rope(config: dict[str, Any]) -> tuple[float, float]:
    """Rotary base and Llama 3's scaling factor. transformers 5 writes `rope_parameters`, older ones two fields."""
    field = "rope_parameters" if config.get("rope_parameters") else "rope_scaling"
    parameters = config.get(field) or {}
    base = parameters.get("rope_theta", config.get("rope_theta", 10000.0))
    kind = parameters.get("rope_type", parameters.get("type", "default"))
    if kind == "default":
        return base, 1.0
    if kind != "llama3":
        raise _refusal(f"{field}.rope_type", kind, "is not supported", "only default and llama3 rotary positions are")
    for name, constant in _LLAMA3_CONSTANTS.items():
        if parameters.get(name) != constant:
            raise _refusal(f"{field}.{name}", parameters.get(name), f"must be {constant:g}", _SUPPORTED)
    return base, parameters["factor"]


def _head_dim(config: dict[str, Any], hf_name: str) -> int:
    head_dim = config.get("head_dim")
    if head_dim is not None:
        return int(head_dim)
    if hf_name == "Qwen3ForCausalLM":
        # transformers would take 128 here, whatever the hidden size; a guess is not good enough for weights.
        return int(_required(config, "head_dim"))
    return int(_required(config, "hidden_size")) // int(_required(config, "num_attention_heads"))


def _check_heads(architecture: Architecture) -> None:
    heads, groups = architecture.num_attention_heads, architecture.num_query_groups
    if heads % groups:
        raise _refusal(
            "num_key_value_heads", groups, f"does not divide num_attention_heads = {heads}", "mend config.json"
        )


def _required(config: dict[str, Any], field: str) -> Any:
    if config.get(field) is None:
        raise _refusal(field, None, "is missing", "copy config.json again from the source of the model")
    return config[field]


def _refusal(field: str, value: Any, what: str, mend: str) -> ModelInvalid:
    name = f"{field} = {json.dumps(value, default=str)}" if field else str(value)
    message = f"model: {name} {what}"
    return ModelInvalid(message, mend, (Problem(field, value, message, mend),))


def _invalid_fields(error: ValidationError) -> ModelInvalid:
    mend = "copy config.json again from the source of the model"
    problems = tuple(
        Problem(str(fault["loc"][0]), fault["input"], f"model: {fault['loc'][0]}: {fault['msg']}", mend)
        for fault in error.errors()
    )
    return ModelInvalid(problems[0].message, mend, problems)
