"""The fields of a Hugging Face config.json that decide how a decoder computes, typed and checked.

A field that is absent and has no default here is required. Fields that do not change the mathematics of training are
passed over; those that would, and that we do not follow, are held here so that `architecture.py` can refuse them.
Defaults are those of transformers, where it has one for all architectures that we know.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import (
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PositiveFloat,
    PositiveInt,
    ValidationError,
)

from tunedeck.errors import ModelInvalid, Problem

COPY_AGAIN = "copy config.json again from the source of the model"


def _none_is_empty(value: object) -> object:
    return {} if value is None else value


def _none_is_no_layer(value: object) -> object:
    return [] if value is None else value


class Rope(BaseModel):
    """transformers 5 calls it `rope_parameters` and keeps the base in it; older versions call it `rope_scaling`."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)

    rope_type: str = Field("default", validation_alias=AliasChoices("rope_type", "type"))
    rope_theta: PositiveFloat | None = None
    factor: PositiveFloat = 1.0
    low_freq_factor: float | None = None
    high_freq_factor: float | None = None
    original_max_position_embeddings: int | None = None


class HfConfig(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)

    architectures: list[str]
    hidden_size: PositiveInt
    intermediate_size: PositiveInt
    num_hidden_layers: PositiveInt
    num_attention_heads: PositiveInt
    num_key_value_heads: PositiveInt | None = None
    head_dim: PositiveInt | None = None
    vocab_size: PositiveInt
    max_position_embeddings: PositiveInt
    rms_norm_eps: PositiveFloat
    rope_theta: PositiveFloat = 10000.0
    rope: Annotated[Rope, BeforeValidator(_none_is_empty)] = Field(
        Rope(), validation_alias=AliasChoices("rope_parameters", "rope_scaling")
    )
    tie_word_embeddings: bool = False
    num_experts: PositiveInt | None = Field(None, validation_alias=AliasChoices("num_experts", "num_local_experts"))
    num_experts_per_tok: PositiveInt | None = None
    moe_intermediate_size: PositiveInt | None = None
    norm_topk_prob: bool = False
    decoder_sparse_step: PositiveInt = 1
    mlp_only_layers: Annotated[list[int], BeforeValidator(_none_is_no_layer)] = []
    hidden_act: str = "silu"
    attention_bias: bool = False
    mlp_bias: bool = False
    partial_rotary_factor: float = 1.0
    sliding_window: int | None = None
    use_sliding_window: bool | None = None
    max_window_layers: int | None = None
    layer_types: list[str] | None = None
    quantization_config: dict[str, Any] | None = None
    auto_map: dict[str, Any] | None = None


def hf_config(config: Mapping[str, Any]) -> HfConfig:
    """Check what was read from a config.json. Raises ModelInvalid with one problem per field at fault."""
    try:
        return HfConfig.model_validate(config)
    except ValidationError as error:
        problems = tuple(_problem(fault) for fault in error.errors())
        raise ModelInvalid(f"config.json: {problems[0].message}", COPY_AGAIN, problems) from error


def _problem(fault: Any) -> Problem:
    field = ".".join(map(str, fault["loc"]))
    message = f"{field} is missing" if fault["type"] == "missing" else f"{field} = {fault['input']!r}: {fault['msg']}"
    return Problem(field, None if fault["type"] == "missing" else fault["input"], message, COPY_AGAIN)
