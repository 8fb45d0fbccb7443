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
# By their names in tunedeck/metrics.py, as fp8_health tells them.
FP8_METRICS = ("fp8_largest_amax", "fp8_smallest_scale", "fp8_saturated_share")


def fp8_health(chunks: Iterable[Module], *, is_hybrid: bool) -> Tensor | None:
    """[largest amax, smallest scale, share of tensors beyond their scale] on the device, None without scales.

    A dozen small kernels and no wait: read it with the loss. `is_hybrid`: gradients are e5m2, else everything is e4m3.
    """
    metas: list[Any] = [getattr(module, "fp8_meta", {}) for chunk in chunks for module in chunk.modules()]
    told = []
    for direction, largest in _LARGEST.items():
        states = [meta[direction] for meta in metas if hasattr(meta.get(direction), "amax_history")]
        if states:
            # The newest is in row 0, and in the last one after the history has been rolled on.
            first_N, last_N = (torch.cat([state.amax_history[row] for state in states]) for row in (0, -1))
            amax_N, scale_N = torch.maximum(first_N, last_N), torch.cat([state.scale for state in states])
            told.append((amax_N, scale_N, amax_N * scale_N > (largest if is_hybrid else _E4M3)))
    if not told:
        return None
    amax_N, scale_N, beyond_N = (torch.cat(parts) for parts in zip(*told, strict=True))
    return torch.stack([amax_N.max(), scale_N.min(), beyond_N.float().mean()])
