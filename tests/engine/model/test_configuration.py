from __future__ import annotations

from typing import Any

import pytest

from tests.engine.model.specs import layout_spec
from tunedeck.architecture import Architecture
from tunedeck.errors import SpecInvalid
from worker.engine.model import transformer_config

ARCHITECTURE = Architecture(
    hf_name="Qwen3ForCausalLM",
    num_layers=4,
    hidden_size=64,
    ffn_hidden_size=96,
    num_attention_heads=8,
    num_query_groups=2,
    kv_channels=16,
    vocab_size=100,
    max_position_embeddings=128,
    layernorm_epsilon=1e-6,
    rotary_base=1e6,
    rope_scaling_factor=1.0,
    tied_embeddings=True,
    qkv_bias=False,
    qk_layernorm=True,
)


@pytest.mark.parametrize(
    "parallelism, field",
    [
        ({"tensor_model_parallel_size": 4}, "parallelism.tensor_model_parallel_size"),
        ({"pipeline_model_parallel_size": 3}, "parallelism.pipeline_model_parallel_size"),
        ({"sequence_parallel": True}, "parallelism.sequence_parallel"),
    ],
)
def test_a_layout_that_does_not_divide_the_model_is_refused(parallelism: dict[str, Any], field: str) -> None:
    with pytest.raises(SpecInvalid) as caught:
        transformer_config(ARCHITECTURE, layout_spec(parallelism=parallelism))
    assert caught.value.problems[0].field == field


def test_a_dense_model_is_parted_over_tensor_parallel_ranks() -> None:
    config = transformer_config(ARCHITECTURE, layout_spec(2, parallelism={"tensor_model_parallel_size": 2}))
    assert (config.tensor_model_parallel_size, config.num_moe_experts) == (2, None)


def test_recompute_reaches_megatron() -> None:
    recompute = {"recompute_granularity": "full", "recompute_num_layers": 2}
    config = transformer_config(ARCHITECTURE, layout_spec(recompute=recompute))
    assert (config.recompute_granularity, config.recompute_method, config.recompute_num_layers) == (
        "full",
        "uniform",
        2,
    )
