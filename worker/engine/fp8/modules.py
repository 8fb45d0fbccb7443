"""Which modules of a model compute in FP8, as Transformer Engine itself knows after a step.

Asked by attribute, not by class: Transformer Engine cannot be imported where this is tested, and its class names change
more often than these attributes (`fp8_initialized`, `fp8`, `fp8_meta["recipe"]`; base.py of version 1.0 to 2.20).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from torch.nn import Module, Parameter


@dataclass(frozen=True)
class MatrixModule:
    """A module of Transformer Engine that multiplies by weights. `recipe` is "" where it did not compute in FP8."""

    name: str
    recipe: str
    weight_type: str
    has_fp8_weights: bool


def matrix_modules(chunks: Iterable[Module]) -> list[MatrixModule]:
    """All of them in the model chunks of this rank, by name."""
    found = []
    for chunk in chunks:
        for name, module in chunk.named_modules():
            weights = list(module.parameters(recurse=False))
            if hasattr(module, "fp8_meta") and any(weight.dim() == 2 for weight in weights):
                found.append(_matrix_module(name, module, weights))
    return found


def recipes_in_full(chunks: Iterable[Module]) -> list[str]:
    """Each recipe that a module has computed in, with all its settings, as Transformer Engine prints it."""
    metas = (getattr(module, "fp8_meta", {}) for chunk in chunks for module in chunk.modules())
    return sorted({repr(meta["recipe"]) for meta in metas if "recipe" in meta})


def _matrix_module(name: str, module: Module, weights: list[Parameter]) -> MatrixModule:
    meta: Any = module.fp8_meta
    recipe = type(meta["recipe"]).__name__ if getattr(module, "fp8", False) and "recipe" in meta else ""
    matrices = [weight for weight in weights if weight.dim() == 2]
    return MatrixModule(name, recipe, type(matrices[0]).__name__, all(map(_is_quantized, matrices)))


def _is_quantized(weight: Parameter) -> bool:
    """Float8Tensor, Float8BlockwiseQTensor, MXFP8Tensor: all derive from QuantizedTensor."""
    return any(base.__name__ == "QuantizedTensor" for base in type(weight).__mro__)
