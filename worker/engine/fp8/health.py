"""How well the scales of FP8 tensors fit, where a recipe keeps scales: delayed scaling.

Current, blockwise and mxfp8 scaling compute the scale from the tensor itself at each use and keep nothing; then there
is nothing to tell. A tensor beyond its scale was clipped: a few in a thousand are normal after a jump, many are not.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from torch.nn import Module

_LARGEST = {"scaling_fwd": 448.0, "scaling_bwd": 57344.0}
_E4M3 = 448.0


def fp8_health(chunks: Iterable[Module], *, is_hybrid: bool) -> Tensor | None:
    """[largest amax, smallest scale, share of tensors beyond their scale] on the device, None without scales.

    Three small kernels and no wait: read it with the loss. `is_hybrid`: gradients are e5m2, else everything is e4m3.
    """
    amaxes, scales, limits = [], [], []
    metas: list[Any] = [getattr(module, "fp8_meta", {}) for chunk in chunks for module in chunk.modules()]
    for meta in metas:
        for direction, largest in _LARGEST.items():
            state = meta.get(direction)
            if not hasattr(state, "amax_history"):
                continue
            # The newest is in row 0, and in the last one after the history has been rolled on.
            amaxes.append(torch.maximum(state.amax_history[0], state.amax_history[-1]))
            scales.append(state.scale)
            limits.append(torch.full_like(state.scale, largest if is_hybrid else _E4M3))
    if not amaxes:
        return None
    amax_N, scale_N, limit_N = (torch.cat(parts) for parts in (amaxes, scales, limits))
    beyond_N = amax_N * scale_N > limit_N
    return torch.stack([amax_N.max(), scale_N.min(), beyond_N.float().mean()])
