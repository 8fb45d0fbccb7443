"""Where the elements of a tensor of this rank lie in the tensor of all ranks, as rectangles that a file can hold.

Megatron-core describes a parameter's place by a ShardedTensor, or by a factory that parts it into several. Its
distributed optimizer owns a run of elements of the flattened parameter, from anywhere to anywhere. Torch's checkpoint
format knows rectangles only, but any number of them and of any sizes, so such a run is parted into a few: what is left
of a row, whole rows, and the beginning of a row. Gathering whole parameters on one rank first, which megatron-core
does, was rejected: it moves the optimizer's state of all ranks while the training waits.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

import torch
from megatron.core.dist_checkpointing.dict_utils import nested_values
from megatron.core.dist_checkpointing.mapping import ShardedTensor, ShardedTensorFactory

from tunedeck.errors import CheckpointFailed

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Shard:
    """A rectangle of a global tensor. Its elements lie in a row in a flat tensor of this rank, from `start` on.

    `global_shape`, `offset` and `shape` all have the dimensions of the global tensor, layers included.
    """

    key: str
    global_shape: Shape
    offset: Shape
    shape: Shape
    start: int

    @property
    def numel(self) -> int:
        return math.prod(self.shape)

    def renamed(self, key: str) -> Shard:
        return replace(self, key=key)

    def within(self, begin: int, end: int) -> Iterator[Shard]:
        """What of it lies in the elements [begin, end) of the flat tensor, which then is the flat tensor itself."""
        first, last = max(self.start, begin), min(self.start + self.numel, end)
        start = first - begin
        for offset, shape in rectangles(self.shape, first - self.start, last - self.start):
            place = tuple(ours + more for ours, more in zip(self.offset, offset, strict=True))
            yield replace(self, offset=place, shape=shape, start=start)
            start += math.prod(shape)


def rectangles(shape: Shape, begin: int, end: int) -> Iterator[tuple[Shape, Shape]]:
    """(offset, shape) of rectangles that hold the elements [begin, end) of a row-major tensor, in their order."""
    if begin >= end:
        return
    if len(shape) == 1:
        yield (begin,), (end - begin,)
        return
    inner = shape[1:]
    row = math.prod(inner)
    first, last = -(-begin // row), end // row  # the whole rows
    if last < first:  # within one row
        yield from _in_row(last, inner, begin - last * row, end - last * row)
        return
    if begin % row:
        yield from _in_row(first - 1, inner, begin % row, row)
    if first < last:
        yield (first, *(0 for _ in inner)), (last - first, *inner)
    if end % row:
        yield from _in_row(last, inner, 0, end % row)


def _in_row(row: int, inner: Shape, begin: int, end: int) -> Iterator[tuple[Shape, Shape]]:
    for offset, shape in rectangles(inner, begin, end):
        yield (row, *offset), (1, *shape)


def shards_of(entry: ShardedTensor | ShardedTensorFactory) -> list[Shard]:
    """The places of all elements of `entry.data`, flattened.

    Raises CheckpointFailed for a factory that does more than part a tensor along its first dimension.
    """
    if isinstance(entry, ShardedTensorFactory):
        # Built of a tensor without data: how the factory parts one shows in the strides of what it returns.
        probe = torch.empty(entry.data.shape, dtype=entry.data.dtype, device="meta")
        built: list[ShardedTensor] = list(nested_values(replace(entry, data=probe).build()))
    else:
        built = [entry]
    shards = [_shard(sharded, 0 if sharded is entry else _start(sharded, entry.key)) for sharded in built]
    if sum(shard.numel for shard in shards) != entry.data.numel():
        raise _unknown_parting(entry.key)
    return shards


def _start(sharded: Any, key: str) -> int:
    if not sharded.data.is_contiguous():
        raise _unknown_parting(key)
    return int(sharded.data.storage_offset())


def _shard(sharded: ShardedTensor, start: int) -> Shard:
    layers = (1,) * sharded.prepend_axis_num
    shape = tuple(chain(layers, sharded.local_shape))
    return Shard(sharded.key, tuple(sharded.global_shape), tuple(sharded.global_offset), shape, start)


def _unknown_parting(key: str) -> CheckpointFailed:
    return CheckpointFailed(
        f"this version of megatron-core parts {key} in a way that a checkpoint cannot describe",
        "use the version of megatron-core that pyproject.toml names",
    )
