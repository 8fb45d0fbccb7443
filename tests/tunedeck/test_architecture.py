from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.engine.weights.hf_models import KINDS, SIZES, write_hf_model
from tunedeck.architecture import Experts, read_architecture
from tunedeck.errors import ModelInvalid

CONFIG: dict[str, Any] = {
    "architectures": ["LlamaForCausalLM"],
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 100,
    "max_position_embeddings": 256,
    "rms_norm_eps": 1e-5,
    "rope_theta": 5000.0,
}


def _write(folder: Path, **changes: Any) -> Path:
    config = {name: value for name, value in (CONFIG | changes).items() if value != "absent"}
    (folder / "config.json").write_text(json.dumps(config))
    return folder


@pytest.mark.parametrize("kind", KINDS)
def test_what_transformers_writes_is_read(kind: str, tmp_path: Path) -> None:
    architecture = read_architecture(write_hf_model(tmp_path, kind))
    assert architecture.hf_name == KINDS[kind][0].__name__
    assert architecture.num_query_groups == SIZES["num_key_value_heads"]
    assert architecture.qkv_bias is (kind == "qwen2-bias")
    assert architecture.qk_layernorm is kind.startswith("qwen3")
    assert architecture.tied_embeddings is (kind == "qwen3-tied")
    assert architecture.rope_scaling_factor == (8.0 if kind == "llama3-scaled-rope" else 1.0)


def test_fields_of_transformers_4_are_read(tmp_path: Path) -> None:
    architecture = read_architecture(_write(tmp_path, num_key_value_heads="absent"))
    assert architecture.rotary_base == 5000.0
    assert architecture.num_query_groups == 4
    assert architecture.kv_channels == 16


@pytest.mark.parametrize(
    "switch", [{"use_sliding_window": False}, {"use_sliding_window": True, "max_window_layers": 2}]
)
def test_a_window_that_no_layer_of_qwen_uses_is_no_fault(switch: dict[str, Any], tmp_path: Path) -> None:
    config = {"architectures": ["Qwen2ForCausalLM"], "sliding_window": 4096, **switch}
    assert read_architecture(_write(tmp_path, **config)).qkv_bias


def test_a_window_that_some_layer_of_qwen_uses_is_refused(tmp_path: Path) -> None:
    used = {"sliding_window": 4096, "use_sliding_window": True, "max_window_layers": 1}
    with pytest.raises(ModelInvalid, match="sliding_window = 4096"):
        read_architecture(_write(tmp_path, architectures=["Qwen2ForCausalLM"], **used))


MOE: dict[str, Any] = {
    "architectures": ["Qwen3MoeForCausalLM"],
    "head_dim": 16,
    "num_experts": 8,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 24,
}


def test_experts_are_read(tmp_path: Path) -> None:
    architecture = read_architecture(_write(tmp_path, **MOE, norm_topk_prob=True, mlp_only_layers=None))
    assert architecture.qk_layernorm
    assert architecture.experts == Experts(
        num_moe_experts=8, moe_router_topk=2, moe_ffn_hidden_size=24, norm_topk_prob=True
    )


@pytest.mark.parametrize(
    "field, value",
    [
        ("num_experts", "absent"),
        ("num_experts_per_tok", 9),
        ("moe_intermediate_size", None),
        ("decoder_sparse_step", 2),
        ("mlp_only_layers", [0]),
    ],
)
def test_experts_that_cannot_be_trained_are_refused_by_field(field: str, value: Any, tmp_path: Path) -> None:
    with pytest.raises(ModelInvalid) as caught:
        read_architecture(_write(tmp_path, **{**MOE, field: value}))
    assert [problem.field for problem in caught.value.problems] == [field]


@pytest.mark.parametrize(
    "field, value",
    [
        ("architectures", ["GPT2LMHeadModel"]),
        ("architectures", "absent"),
        ("sliding_window", 4096),
        ("layer_types", ["sliding_attention", "full_attention"]),
        ("attention_bias", True),
        ("mlp_bias", True),
        ("hidden_act", "gelu"),
        ("partial_rotary_factor", 0.5),
        ("quantization_config", {"bits": 4}),
        ("auto_map", {"AutoModel": "code.Model"}),
        ("hidden_size", "absent"),
        ("hidden_size", "wide"),
        ("vocab_size", None),
        ("layer_types", 7),
        ("rms_norm_eps", float("nan")),
        ("num_hidden_layers", 0),
        ("num_key_value_heads", 3),
    ],
)
def test_what_cannot_be_trained_is_refused_by_field(field: str, value: Any, tmp_path: Path) -> None:
    with pytest.raises(ModelInvalid) as caught:
        read_architecture(_write(tmp_path, **{field: value}))
    (problem,) = caught.value.problems
    assert problem.field == field
    assert problem.mend


@pytest.mark.parametrize(
    "parameters, named",
    [
        ({"rope_type": "yarn", "factor": 4.0}, "rope_type"),
        ({"type": "linear", "factor": 2.0}, "rope_type"),
        (
            {
                "rope_type": "llama3",
                "factor": 8.0,
                "low_freq_factor": 1.0,
                "high_freq_factor": 4.0,
                "original_max_position_embeddings": 4096,
            },
            "original_max_position_embeddings",
        ),
    ],
)
def test_rotary_scaling_that_megatron_lacks_is_refused_by_name(
    parameters: dict[str, Any], named: str, tmp_path: Path
) -> None:
    with pytest.raises(ModelInvalid, match=named):
        read_architecture(_write(tmp_path, rope_scaling=parameters))


def test_qwen3_without_a_head_width_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelInvalid, match="head_dim"):
        read_architecture(_write(tmp_path, architectures=["Qwen3ForCausalLM"]))


@pytest.mark.parametrize("content", [None, "{", "[]", b"\xff\xfe"])
def test_a_folder_without_a_readable_config_is_refused(content: str | bytes | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "config.json").write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(ModelInvalid, match=r"config\.json"):
        read_architecture(tmp_path)
