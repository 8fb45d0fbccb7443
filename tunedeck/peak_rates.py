"""What GPUs can do at most, by NVIDIA's data sheets: dense BF16 matrix products with fp32 accumulation.

Data sheets print the rate with sparsity, which is twice the dense one; here it is halved. A card that is not listed has
no model FLOP utilisation: a guessed peak would make every run look good or bad. FP8 runs are measured against the BF16
peak, too, so that runs of one card compare; they can pass 100%.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Card:
    """`pattern` is looked for in the name that the driver gives; the first that matches counts."""

    pattern: str
    bf16_flops: float
    source: str


CARDS: tuple[Card, ...] = (
    Card("GB200", 2500e12, "NVIDIA GB200 NVL72 data sheet, 360 PFLOPS of 72 GPUs with sparsity"),
    Card("B200", 2250e12, "NVIDIA HGX B200 data sheet, 36 PFLOPS of 8 GPUs with sparsity"),
    Card("H200 NVL", 835.5e12, "NVIDIA H200 data sheet, 1,671 TFLOPS with sparsity"),
    Card("H200", 989.5e12, "NVIDIA H200 data sheet, 1,979 TFLOPS with sparsity"),
    Card("H100 NVL", 835.5e12, "NVIDIA H100 data sheet, 1,671 TFLOPS with sparsity"),
    Card("H100 PCIe", 756.5e12, "NVIDIA H100 PCIe data sheet, 1,513 TFLOPS with sparsity"),
    Card("H100", 989.5e12, "NVIDIA H100 data sheet, 1,979 TFLOPS with sparsity"),
    Card("H800", 989.5e12, "the same chip as H100 SXM"),
    Card("H20", 148e12, "NVIDIA H20 data sheet, dense"),
    Card("A100", 312e12, "NVIDIA A100 data sheet, 312 TFLOPS dense"),
    Card("A800", 312e12, "the same chip as A100"),
    Card("L40S", 362e12, "NVIDIA L40S data sheet, 362.05 TFLOPS dense"),
    Card("L4", 121e12, "NVIDIA L4 data sheet, 242 TFLOPS with sparsity"),
    Card("A10", 125e12, "NVIDIA A10 data sheet, 125 TFLOPS dense"),
    Card("RTX 4090", 165.2e12, "NVIDIA Ada architecture white paper, 165.2 TFLOPS dense"),
)


def peak_bf16_flops(device_name: str) -> float | None:
    """FLOP/s of one card, or None for a card that is not listed."""
    return next((card.bf16_flops for card in CARDS if names_card(card.pattern, device_name)), None)


def names_card(pattern: str, device_name: str) -> bool:
    """`L4` must not be found in `L40S`, nor `H20` in `H200`: behind the pattern no letter or digit may follow."""
    words = f"{device_name} "
    start = words.find(pattern)
    return start >= 0 and not words[start + len(pattern)].isalnum()
