"""The estimate against peaks that were measured on Hopper GPUs, and against sums worked out by hand."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.resolved import resolved
from tunedeck.architecture import Architecture, architecture_of
from tunedeck.memory import MemoryEstimate, estimate_memory

GIB = 2**30
VOCABULARY = 151_936


def qwen3(hidden: int, ffn: int, heads: int, layers: int, tied: bool) -> Architecture:
    """Qwen3 of the published sizes: 8 query groups of 128 channels."""
    return architecture_of(
        {
            "architectures": ["Qwen3ForCausalLM"],
            "hidden_size": hidden,
            "intermediate_size": ffn,
            "num_hidden_layers": layers,
            "num_attention_heads": heads,
            "num_key_value_heads": 8,
            "head_dim": 128,
            "vocab_size": VOCABULARY,
            "max_position_embeddings": 40_960,
            "rms_norm_eps": 1e-6,
            "rope_theta": 1e6,
            "tie_word_embeddings": tied,
            "hidden_act": "silu",
        }
    )


SHAPES = {
    "1.7B": qwen3(2048, 6144, 16, 28, tied=True),
    "4B": qwen3(2560, 9728, 32, 36, tied=True),
    "8B": qwen3(4096, 12288, 32, 36, tied=False),
}
FP8 = {"fp8_format": "e4m3", "fp8_recipe": "blockwise", "fp8_param_gather": True}


def estimate(model: str, max_tokens: int = 16_384, capacity_gib: float = 80.0, **sections: Any) -> MemoryEstimate:
    spec = resolved(
        batching={"max_tokens_per_gpu": max_tokens},
        hardware={"device": "cuda"} | sections.pop("hardware", {}),
        precision={"params_dtype": "bf16"} | sections.pop("precision", {}),
        **sections,
    )
    return estimate_memory(SHAPES[model], spec, int(capacity_gib * GIB))


def part(made: MemoryEstimate, name: str) -> int:
    return next(each.bytes for each in made.parts if each.name == name)


@pytest.mark.parametrize(
    ("model", "data", "tensor", "precision", "measured_gib"),
    [
        ("1.7B", 1, 1, {}, 69.0),
        ("1.7B", 1, 1, FP8, 64.8),
        ("4B", 2, 1, {}, 114.8),
        ("4B", 2, 1, FP8, 106.9),
        ("8B", 1, 2, {}, 111.4),
        ("8B", 1, 2, FP8, 108.0),
    ],
)
def test_the_estimate_is_within_four_percent_of_measured_peaks(
    model: str, data: int, tensor: int, precision: dict[str, Any], measured_gib: float
) -> None:
    """Peaks of allocated memory of bare Megatron-core loops on one H100 (1.7B) and two H200 (4B, 8B), 16,384 tokens a
    microbatch. Those loops made all logits at once, twice in bf16, and torch's count leaves the runtime out."""
    made = estimate(
        model,
        precision=precision,
        hardware={"num_devices": data * tensor, "data_parallel_size": data},
        parallelism={"tensor_model_parallel_size": tensor, "sequence_parallel": tensor > 1},
    )
    all_logits = 2 * 2 * 16_384 * VOCABULARY // tensor
    there = made.total_bytes - part(made, "loss") - part(made, "runtime") + all_logits
    assert there / GIB == pytest.approx(measured_gib, rel=0.04)


BF16_MOMENTS = {"use_precision_aware_optimizer": True, "exp_avg_dtype": "bf16", "exp_avg_sq_dtype": "bf16"}
BF16_GRADIENTS = {"accumulate_allreduce_grads_in_fp32": False, "main_grads_dtype": "bf16"}
DELAYED = {"fp8_format": "hybrid", "fp8_recipe": "delayed"}
TENSORWISE = {"fp8_format": "hybrid", "fp8_recipe": "tensorwise"}
FULL = {"recompute_granularity": "full", "recompute_method": "uniform", "recompute_num_layers": 1}


@pytest.mark.parametrize(
    ("model", "max_tokens", "precision", "recompute", "measured_gib"),
    [
        ("1.7B", 16_384, {}, {}, 61.1),
        ("1.7B", 16_384, DELAYED, {}, 60.5),
        ("1.7B", 16_384, TENSORWISE, {}, 59.6),
        ("1.7B", 16_384, FP8, {}, 57.1),
        ("1.7B", 16_384, {}, FULL, 32.9),
        ("4B", 16_384, BF16_MOMENTS, {}, 106.7),
        ("4B", 16_384, BF16_MOMENTS | DELAYED, {}, 109.2),
        ("4B", 16_384, BF16_MOMENTS | FP8, {}, 106.7),
        # The longest conversation of that data: it is a microbatch of its own.
        ("8B", 11_540, BF16_MOMENTS | BF16_GRADIENTS, {}, 131.6),
        ("8B", 11_540, BF16_MOMENTS | BF16_GRADIENTS, FULL, 82.0),
        ("8B", 11_540, BF16_MOMENTS | BF16_GRADIENTS | DELAYED, FULL, 95.0),
    ],
)
def test_the_estimate_is_within_five_percent_of_our_own_peaks(
    model: str, max_tokens: int, precision: dict[str, Any], recompute: dict[str, Any], measured_gib: float
) -> None:
    """Peaks of allocated memory of `python -m bench.engine` on one H200, docs/benchmarks.md."""
    made = estimate(model, max_tokens, precision=precision, recompute=recompute)
    there = made.total_bytes - part(made, "runtime")
    assert there / GIB == pytest.approx(measured_gib, rel=0.05)


def test_an_update_that_needs_more_than_a_microbatch_counts() -> None:
    """8B in blockwise FP8 with param-gather ran out of an H200 at its first update: beside gradients in bf16 it
    makes them in fp32, and all matrices in bf16."""
    small = {"precision": BF16_MOMENTS | BF16_GRADIENTS | FP8, "recompute": FULL, "capacity_gib": 139.8}
    made = estimate("8B", 8192, **small)
    embedding = 2 * VOCABULARY * 4096
    matrices = 36 * (4096 * 128 * (2 * 32 + 2 * 8) + 3 * 4096 * 12288)
    others = part(made, "activations") + part(made, "loss")
    assert part(made, "update") + others == 4 * (embedding + matrices) + 2 * matrices
    assert made.verdict == "does_not_fit"
    assert part(estimate("8B", 32_768, **(small | {"recompute": {}})), "update") == 0


def test_the_state_of_a_bf16_model_is_eighteen_bytes_a_parameter() -> None:
    """2 for the weight, 4 for its gradient, 4 each for main parameter and two moments; norms do not count."""
    made = estimate("1.7B")
    attention, mlp = 2048 * 128 * (2 * 16 + 2 * 8), 3 * 2048 * 6144
    parameters = VOCABULARY * 2048 + 28 * (attention + mlp)
    assert part(made, "weights") == 2 * parameters
    assert part(made, "gradients") == 4 * parameters
    assert part(made, "optimizer") == 12 * parameters


def test_data_parallel_ranks_share_only_the_state_of_the_distributed_optimizer() -> None:
    alone, shared = (
        estimate("1.7B", hardware={"num_devices": number, "data_parallel_size": number}) for number in (1, 4)
    )
    assert part(shared, "optimizer") == part(alone, "optimizer") // 4
    assert part(shared, "weights") == part(alone, "weights")
    assert part(shared, "gradients") == part(alone, "gradients")


def test_full_recomputation_keeps_one_hidden_state_a_layer_and_one_layer_whole() -> None:
    full = {"recompute_granularity": "full", "recompute_method": "uniform", "recompute_num_layers": 1}
    kept = part(estimate("1.7B"), "activations")
    again = part(estimate("1.7B", recompute=full), "activations")
    assert again == pytest.approx(16_384 * 2 * 2048 * 28 + kept / 28, rel=1e-6)


def test_the_largest_microbatch_that_fits_is_the_one_that_is_named() -> None:
    named = estimate("4B", hardware={"num_devices": 2, "data_parallel_size": 2}).largest_max_tokens_per_gpu
    assert 0 < named < 16_384
    for tokens, verdict in ((named, "fits"), (named + 1024, "tight"), (4 * named, "does_not_fit")):
        made = estimate("4B", tokens, hardware={"num_devices": 2, "data_parallel_size": 2})
        assert made.verdict == verdict, tokens


def test_a_model_whose_state_alone_is_too_large_is_told_so() -> None:
    made = estimate("8B", capacity_gib=80.0)
    assert made.verdict == "does_not_fit"
    assert made.largest_max_tokens_per_gpu == 0
