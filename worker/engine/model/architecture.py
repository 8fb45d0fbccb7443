"""Architecture: the facts of a model that its config.json states, checked once.

Only decoders whose mathematics Megatron's GPTModel has in full are read; everything else is refused by name, because a
field that is silently ignored gives a model that trains and answers wrongly. transformers' AutoConfig was rejected: it
fills absent fields with defaults of its own version and may run code of the folder.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

HfName = Literal["LlamaForCausalLM", "MistralForCausalLM", "Qwen2ForCausalLM", "Qwen3ForCausalLM"]


class Llama3RopeScaling(BaseModel):
    """The frequency scaling of Llama 3.1 and later."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    factor: float


class Architecture(BaseModel):
    """A dense decoder with RMSNorm, SwiGLU, rotary positions and grouped-query attention."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    hf_name: HfName
    num_layers: int
    hidden_size: int
    ffn_hidden_size: int
    num_attention_heads: int
    num_query_groups: int
    kv_channels: int
    vocab_size: int
    max_position_embeddings: int
    layernorm_epsilon: float
    rotary_base: float
    rope_scaling: Llama3RopeScaling | None
    tied_embeddings: bool
    qkv_bias: bool
    qk_layernorm: bool
    torch_dtype: str
    bos_token_id: int | None = None


def read_architecture(path: Path) -> Architecture:
    """Read config.json of a Hugging Face folder. Raises ModelInvalid naming the field and the value at fault."""
    raise NotImplementedError
