"""The state of the distributed optimizer of a rank that shares it with nobody, for a checkpoint, without copying it.

Megatron-core (0.16.1, 0.19.2) always gathers the whole state anew in host memory, with four copies and through the GPU,
while training waits; for a rank that is alone every piece of it lies there already. This can go when
DistributedOptimizer.get_parameter_state_dp_zero spares such a rank its copies.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from megatron.core.optimizer import MegatronOptimizer
from megatron.core.optimizer.distrib_optimizer import DistributedOptimizer
from torch import Tensor

_KINDS = ("param", "exp_avg", "exp_avg_sq")


@contextmanager
def taken_as_it_lies(optimizer: MegatronOptimizer) -> Iterator[None]:
    """Inside, megatron-core takes the state for a checkpoint from where it lies. Only for a rank that is alone."""
    parts = [
        part for part in getattr(optimizer, "chained_optimizers", [optimizer]) if isinstance(part, DistributedOptimizer)
    ]
    for part in parts:
        part.get_parameter_state_dp_zero = lambda part=part, **_: _state_of(part)
    try:
        yield
    finally:
        for part in parts:
            del part.get_parameter_state_dp_zero


class _Buffer:
    """Stands for a flat buffer of which nothing is asked but the slices of whole parameters."""

    def __init__(self, pieces: dict[tuple[int, int], Tensor]) -> None:
        self._pieces = pieces

    def __getitem__(self, place: slice) -> Tensor:
        return self._pieces[place.start, place.stop]


def _state_of(optimizer: DistributedOptimizer) -> dict[int, dict[Any, dict[str, _Buffer]]]:
    """For each gradient buffer and its type: kind of state → the fp32 values of all parameters."""
    state = {}
    for index, (buffer, ranges) in enumerate(zip(optimizer.buffers, optimizer.gbuf_ranges, strict=True)):
        pieces: dict[str, dict[tuple[int, int], Tensor]] = {kind: {} for kind in _KINDS}
        for param, (start, end, _) in buffer.param_index_map.items():
            tensors = optimizer._get_main_param_and_optimizer_states(param)
            for kind in _KINDS:
                pieces[kind][start, end] = tensors[kind].detach().float().view(-1)
        state[index] = {dtype: {kind: _Buffer(found) for kind, found in pieces.items()} for dtype in ranges}
    return state
