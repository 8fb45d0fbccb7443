"""What the ranks write into a checkpoint, agreed on once for a whole run: the layout of the state never changes.

Each rank describes what it writes: tensors cut into rectangles, which are read anew from where they lie at each
checkpoint, and small objects. Rank 0 makes of it the table of contents of torch's distributed checkpoint format, which
megatron-core reads. Making the description anew for each checkpoint, as megatron-core's planner does, was rejected: for
a small model it takes longer than everything else together.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.checkpoint.filesystem import FileSystemWriter, _StorageInfo
from torch.distributed.checkpoint.metadata import (
    BytesStorageMetadata,
    ChunkStorageMetadata,
    Metadata,
    MetadataIndex,
    TensorProperties,
    TensorStorageMetadata,
)
from torch.distributed.checkpoint.storage import WriteResult

from tunedeck.errors import CheckpointFailed
from worker.engine.checkpoint.rank_file import Place
from worker.engine.checkpoint.shards import Shard


@dataclass(frozen=True)
class Source:
    """A tensor of this rank, and the rectangles of global tensors that it is written as.

    `read` gives it as it is now, of any shape and of `numel` elements; it is written as `dtype`. `may_wait`: its values
    stay what they are until the next update of the optimizer, and it may be read in another thread. `is_made`: it does
    not lie there in this form.
    """

    read: Callable[[], Tensor]
    dtype: torch.dtype
    numel: int
    shards: tuple[Shard, ...]
    may_wait: bool = True
    is_made: bool = False


@dataclass(frozen=True)
class SmallObject:
    """Anything that torch.save takes; `read` gives it as it is now, and it is not changed afterwards."""

    key: str
    read: Callable[[], Any]


@dataclass(frozen=True)
class Description:
    """What this rank writes. `can_be_kept`: the next checkpoint may be written by the same description.

    `settings` is what the optimizer says of itself besides tensors, where that is part of its description.
    """

    sources: tuple[Source, ...]
    objects: tuple[SmallObject, ...]
    can_be_kept: bool
    settings: dict[str, Any]

    def outline(self) -> Outline:
        return Outline(
            tuple(item.key for item in self.objects),
            tuple((source.dtype, replace(shard, start=0)) for source in self.sources for shard in source.shards),
        )


@dataclass(frozen=True)
class Outline:
    """The names of what a rank writes, in the order of its file."""

    objects: tuple[str, ...]
    shards: tuple[tuple[torch.dtype, Shard], ...]

    def indices(self) -> list[MetadataIndex]:
        named = [MetadataIndex(key) for key in self.objects]
        return named + [MetadataIndex(shard.key, shard.offset) for _, shard in self.shards]


@dataclass(frozen=True)
class Plan:
    """`outlines` of all ranks are known to rank 0; elsewhere they are empty."""

    description: Description
    outlines: Sequence[Outline]

    def write_contents(self, folder: Path, places: Sequence[list[Place]]) -> None:
        """Write the table of contents (rank 0). `places` are those of all ranks, in the order of their outlines."""
        results = [
            _results(outline, rank, found)
            for rank, (outline, found) in enumerate(zip(self.outlines, places, strict=True))
        ]
        FileSystemWriter(folder).finish(_contents(self.outlines), results)


def make_plan(description: Description) -> Plan:
    """Collective. Raises CheckpointFailed, on rank 0, where the ranks together would not write all of a tensor."""
    world_size = dist.get_world_size()
    if world_size == 1:
        outlines = [description.outline()]
    else:
        outlines = [Outline((), ())] * world_size if dist.get_rank() == 0 else []
        dist.gather_object(description.outline(), outlines or None)
    if outlines:
        _check_whole(outlines)
    return Plan(description, outlines)


def file_name(rank: int) -> str:
    """Of what a rank writes, as torch's own writer has it."""
    return f"__{rank}_0.distcp"


def _results(outline: Outline, rank: int, places: list[Place]) -> list[WriteResult]:
    return [
        WriteResult(index, length, _StorageInfo(file_name(rank), offset, length))
        for index, (offset, length) in zip(outline.indices(), places, strict=True)
    ]


def _contents(outlines: Sequence[Outline]) -> Metadata:
    found: dict[str, Any] = {}
    for outline in outlines:
        found |= {key: BytesStorageMetadata() for key in outline.objects}
        for dtype, shard in outline.shards:
            if shard.key not in found:
                size = torch.Size(shard.global_shape)
                found[shard.key] = TensorStorageMetadata(TensorProperties(dtype=dtype), size, [])
            found[shard.key].chunks.append(ChunkStorageMetadata(torch.Size(shard.offset), torch.Size(shard.shape)))
    return Metadata(found)


def _check_whole(outlines: Sequence[Outline]) -> None:
    missing: dict[str, int] = {}
    for outline in outlines:
        for _, shard in outline.shards:
            missing.setdefault(shard.key, math.prod(shard.global_shape))
            missing[shard.key] -= shard.numel
    for key, numel in missing.items():
        if numel:
            raise CheckpointFailed(
                f"the ranks would write {'too little' if numel > 0 else 'too much'} of {key}: {abs(numel)} elements",
                "this is a fault of the engine; report it with the parallel sizes of the run",
            )
