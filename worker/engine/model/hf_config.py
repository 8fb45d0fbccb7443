"""The fields of a Hugging Face config.json that decide how a decoder computes, typed and checked.

A field that is absent and has no default here is required. Fields that do not change the mathematics of training are
passed over; those that would, and that we do not follow, are held here so that `architecture.py` can refuse them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field, PositiveFloat, PositiveInt
from pydantic import ValidationError as FieldsInvalid

from tunedeck.errors import ModelInvalid, Problem

_COPY_AGAIN = "copy config.json again from the source of the model"


def _none_is_empty(value: object) -> object:
    return {} if value is None else value


class Rope(BaseModel):
    """transformers 5 calls it `rope_parameters` and keeps the base in it; older versions call it `rope_scaling`."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    rope_type: str = Field("default", validation_alias=AliasChoices("rope_type", "type"))
    rope_theta: PositiveFloat | None = None
    factor: PositiveFloat = 1.0
    low_freq_factor: float | None = None
    high_freq_factor: float | None = None
    original_max_position_embeddings: int | None = None


class HfConfig(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

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
    hidden_act: str = "silu"
    attention_bias: bool = False
    mlp_bias: bool = False
    partial_rotary_factor: float = 1.0
    sliding_window: int | None = None
    use_sliding_window: bool = True
    layer_types: list[str] | None = None
    quantization_config: dict[str, Any] | None = None
    auto_map: dict[str, Any] | None = None


def read_hf_config(path: Path) -> HfConfig:
    """Read config.json of a folder. Raises ModelInvalid with one problem per field at fault, in its own spelling."""
    file = path / "config.json"
    try:
        return HfConfig.model_validate(json.loads(file.read_text(encoding="utf-8")))
    except FileNotFoundError as error:
        raise ModelInvalid(f"model {path} has no config.json", "give the folder that save_pretrained wrote") from error
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ModelInvalid(f"{file} is not JSON: {error}", _COPY_AGAIN) from error
    except FieldsInvalid as error:
        problems = tuple(_problem(fault) for fault in error.errors())
        raise ModelInvalid(f"{file}: {problems[0].message}", _COPY_AGAIN, problems) from error


def _problem(fault: Any) -> Problem:
    field = ".".join(map(str, fault["loc"]))
    message = f"{field} is missing" if fault["type"] == "missing" else f"{field} = {fault['input']!r}: {fault['msg']}"
    return Problem(field, None if fault["type"] == "missing" else fault["input"], message, _COPY_AGAIN)
