"""What is tried on eight GPUs: layouts of the recipe's model, and ten guesses for each of two larger models."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

RECIPE_TENSOR_PARALLEL = 4
BF16, FP8 = "ours:bf16", "ours:fp8-blockwise+param-gather"
SMALLER_MOMENTS = "bf16-moments"


@dataclass(frozen=True)
class Try:
    """One start of `bench.engine` over all GPUs. `settings` are fields of the spec by their path."""

    model: str
    tensor_parallel: int
    max_tokens: int
    rows: tuple[str, ...]
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        more = "".join(f" {path.rpartition('.')[2]}={value}" for path, value in self.settings.items())
        return f"{self.model} TP{self.tensor_parallel} tokens{self.max_tokens}{more}"


def layouts(model: str, num_devices: int, max_tokens: list[int], rows: list[str]) -> list[Try]:
    """Tensor parallelism of 4, 2 and 1, the rest data parallel; each row with and without balance."""
    both = tuple(name for row in rows for name in (row, f"{row}+unbalanced"))
    sizes = [size for size in (RECIPE_TENSOR_PARALLEL, 2, 1) if num_devices % size == 0]
    return [Try(model, size, tokens, both) for tokens in max_tokens for size in sizes]


def guesses_8b() -> list[Try]:
    model, small = "qwen3-8b", f"{FP8}+{SMALLER_MOMENTS}"
    overlap = {"parallelism.overlap_grad_reduce": True, "parallelism.overlap_param_gather": True}
    return [
        Try(model, 2, 16_384, (BF16,)),
        Try(model, 2, 16_384, (FP8,)),
        Try(model, 2, 32_768, (FP8,)),
        Try(model, 2, 16_384, (FP8,), overlap),
        Try(model, 2, 16_384, ("ours:fp8-delayed",), overlap),
        Try(model, 4, 32_768, (FP8,)),
        Try(model, 4, 65_536, (FP8,)),
        Try(model, 1, 8_192, (small,), overlap),
        Try(model, 1, 16_384, (small,), overlap),
        Try(model, 1, 16_384, (f"{FP8}+{SMALLER_MOMENTS}+recompute",), overlap),
    ]


def guesses_30b_a3b() -> list[Try]:
    model = "qwen3-30b-a3b"

    def experts(parallel: int) -> dict[str, Any]:
        sizes = {"expert_model_parallel_size": parallel, "expert_tensor_parallel_size": 1}
        return {f"parallelism.{name}": size for name, size in sizes.items()}

    small = f"{FP8}+{SMALLER_MOMENTS}"
    return [
        Try(model, 1, 16_384, (f"{BF16}+{SMALLER_MOMENTS}",), experts(8)),
        Try(model, 1, 16_384, (small,), experts(8)),
        Try(model, 1, 32_768, (small,), experts(8)),
        Try(model, 1, 8_192, (small,), experts(8)),
        Try(model, 2, 16_384, (small,), experts(8)),
        Try(model, 2, 32_768, (small,), experts(8)),
        Try(model, 4, 32_768, (small,), experts(8)),
        Try(model, 1, 16_384, (small,), experts(4)),
        Try(model, 2, 32_768, (small,), experts(4)),
        Try(model, 1, 16_384, (f"{small}+recompute",), experts(8)),
    ]
