"""The state of the distributed optimizer that lies on this rank, described where it lies: nothing is gathered.

The keys and the values are those of megatron-core's `fully_reshardable` form, which any layout of ranks can read; only
the cuts between the pieces are others. Megatron-core's own description (0.16.1, 0.19.2) always gathers the state of all
data-parallel ranks on each of them, in host memory, with four copies and through the GPU, while training waits.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from megatron.core.dist_checkpointing.mapping import is_main_replica
from megatron.core.optimizer.distrib_optimizer import DistributedOptimizer
from torch import Tensor

from worker.engine.checkpoint.plan import Source
from worker.engine.checkpoint.shards import shards_of

_KINDS = ("param", "exp_avg", "exp_avg_sq")


def optimizer_sources(optimizer: DistributedOptimizer, entry_of: dict[Tensor, Any]) -> Iterator[Source]:
    """For each parameter of which this rank holds a part: main parameter and both moments, in fp32.

    `entry_of` gives the ShardedTensor, or the factory of some, of each parameter of the model.
    """
    for ranges_by_dtype in optimizer.gbuf_ranges:
        for ranges in (bucket for buckets in ranges_by_dtype.values() for bucket in buckets):
            for param, place in ranges["param_map"].items():
                yield from _sources_of(optimizer, param, place["param"], entry_of[param])


def _sources_of(optimizer: DistributedOptimizer, param: Tensor, place: Any, entry: Any) -> Iterator[Source]:
    # The last number counts the data-parallel ranks that hold the same parameter; its optimizer state lies on one.
    if not is_main_replica((*entry.replica_id[:-1], 0)):
        return
    mine = [part for shard in shards_of(entry) for part in shard.within(place.start, place.end)]
    for kind in _KINDS:
        prefix = f"optimizer.state.{kind}."
        yield Source(
            partial(_state, optimizer, param, kind),
            torch.float32,
            place.end - place.start,
            tuple(part.renamed(prefix + part.key) for part in mine),
            # Of states in low precision megatron-core gives copies in fp32.
            is_made=bool(optimizer.config.use_precision_aware_optimizer),
        )


def _state(optimizer: DistributedOptimizer, param: Tensor, kind: str) -> Tensor:
    """As megatron-core reads it: scaled and low-precision states come as new tensors, all others as they lie."""
    state: Tensor = optimizer._get_main_param_and_optimizer_states(param)[kind]
    return state.detach()


def settings(optimizer: DistributedOptimizer) -> dict[str, Any]:
    """All but the tensors: groups of parameters with learning rate, weight decay and number of steps."""
    with _stateless(optimizer.optimizer):
        found: dict[str, Any] = optimizer.state_dict()
    return {**found, "param_state_sharding_type": "fully_reshardable"}


@contextmanager
def _stateless(optimizer: Any) -> Iterator[None]:
    """Transformer Engine's FusedAdam would hand out copies of all states in fp32 on the GPU, to be thrown away."""
    if type(optimizer).__name__ == "HybridDeviceOptimizer":  # it finds its number of steps in the states
        yield
        return
    state, optimizer.state = optimizer.state, {}
    try:
        yield
    finally:
        optimizer.state = state
