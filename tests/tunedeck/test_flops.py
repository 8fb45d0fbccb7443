"""The count of operations against figures by hand, and against torch's own counter on transformers' model."""

from __future__ import annotations

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode
from transformers import Qwen3Config, Qwen3ForCausalLM, Qwen3MoeConfig, Qwen3MoeForCausalLM

from tunedeck.architecture import Architecture, architecture_of
from tunedeck.flops import Work, causal_pairs, forward_flops, training_flops
from tunedeck.peak_rates import CARDS, peak_bf16_flops

QWEN3_4B = {
    "architectures": ["Qwen3ForCausalLM"],
    "hidden_size": 2560,
    "intermediate_size": 9728,
    "num_hidden_layers": 36,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "head_dim": 128,
    "vocab_size": 151_936,
    "max_position_embeddings": 40_960,
    "rms_norm_eps": 1e-6,
    "tie_word_embeddings": True,
}
TINY = {
    "vocab_size": 96,
    "hidden_size": 32,
    "intermediate_size": 56,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 24,
    "max_position_embeddings": 64,
}


@pytest.mark.parametrize(("length", "gflop"), [(512, 8.20), (1024, 8.35), (4096, 9.25)])
def test_qwen3_4b_takes_the_known_operations_a_token(length: int, gflop: float) -> None:
    flops = forward_flops(architecture_of(QWEN3_4B), Work(length, causal_pairs([length]), length))
    assert flops / length / 1e9 == pytest.approx(gflop, abs=0.005)


def test_qwen3_4b_by_hand() -> None:
    weights = 36 * (2560 * 4096 + 2 * 2560 * 1024 + 4096 * 2560 + 3 * 2560 * 9728) + 2560 * 151_936
    attention = 36 * 32 * 128 * (10 + 6)  # documents of 4 and 3 tokens: 1 + 2 + 3 + 4 and 1 + 2 + 3 pairs
    work = Work(7, causal_pairs([4, 3]), 7)
    assert forward_flops(architecture_of(QWEN3_4B), work) == 2 * weights * 7 + 4 * attention
    assert training_flops(architecture_of(QWEN3_4B), work) == 3 * (2 * weights * 7 + 4 * attention)


def test_tokens_that_are_not_trained_save_their_logits() -> None:
    model = architecture_of(QWEN3_4B)
    saved = forward_flops(model, Work(100, 5050, 100)) - forward_flops(model, Work(100, 5050, 60))
    assert saved == 40 * 2 * 2560 * 151_936


def test_a_dense_model_counts_as_torch_counts_it() -> None:
    counted = _counted(Qwen3ForCausalLM(Qwen3Config(**TINY, attn_implementation="eager")), 17)
    assert counted == forward_flops(_architecture(Qwen3Config(**TINY), "Qwen3ForCausalLM"), Work(17, 17 * 17, 17))


def test_of_experts_only_those_that_a_token_is_sent_to_are_counted() -> None:
    sizes = TINY | {"num_experts": 6, "num_experts_per_tok": 2, "moe_intermediate_size": 40, "decoder_sparse_step": 1}
    config = Qwen3MoeConfig(**sizes, attn_implementation="eager", experts_implementation="eager")
    counted = _counted(Qwen3MoeForCausalLM(config), 17)
    assert counted == forward_flops(_architecture(config, "Qwen3MoeForCausalLM"), Work(17, 17 * 17, 17))


def _architecture(config: Qwen3Config, name: str) -> Architecture:
    return architecture_of(config.to_dict() | {"architectures": [name]})


def _counted(model: torch.nn.Module, length: int) -> int:
    """Eager attention multiplies all pairs, not the causal half: length² of them."""
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        model(input_ids=torch.arange(length).unsqueeze(0))
    return counter.get_total_flops()


@pytest.mark.parametrize(
    ("name", "tflops"),
    [
        ("NVIDIA H100 80GB HBM3", 989.5),
        ("NVIDIA H100 PCIe", 756.5),
        ("NVIDIA H200", 989.5),
        ("NVIDIA H20", 148),
        ("NVIDIA A100-SXM4-80GB", 312),
        ("NVIDIA L40S", 362),
        ("NVIDIA L4", 121),
        ("NVIDIA B200", 2250),
    ],
)
def test_a_card_is_known_by_the_name_of_its_driver(name: str, tflops: float) -> None:
    assert peak_bf16_flops(name) == tflops * 1e12


def test_an_unknown_card_has_no_peak() -> None:
    assert peak_bf16_flops("NVIDIA Imaginary 1") is None
    assert all(card.source for card in CARDS)
