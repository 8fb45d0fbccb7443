"""How one parameter of Megatron is made of tensors of a Hugging Face folder, and how it is cut over the ranks.

Each layout reads only the rows or columns that its rank keeps (`take`) and puts the shards of all ranks together again
(`join`), bit for bit. Tensor names: a shape suffix counts O rows (outputs) and I columns (inputs).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

Shape = tuple[int, ...]


class Source(Protocol):
    """Where tensors are read from: part of one tensor by name."""

    def rows(self, name: str, start: int, end: int) -> Tensor: ...

    def columns(self, name: str, start: int, end: int) -> Tensor: ...

    def whole(self, name: str) -> Tensor: ...


class Layout(Protocol):
    """One kind of parameter. `shapes` are those of the Hugging Face tensors, in the order of the entry's names."""

    @property
    def shapes(self) -> tuple[Shape, ...]: ...

    def take(self, source: Source, names: tuple[str, ...], rank: int, size: int) -> Tensor:
        """The shard of tensor-parallel rank `rank` of `size`."""
        ...

    def join(self, shards: list[Tensor]) -> tuple[Tensor, ...]:
        """The Hugging Face tensors, from the shards of all tensor-parallel ranks in order."""
        ...

    @property
    def is_split(self) -> bool:
        """Whether ranks hold different parts; False: every rank holds the whole."""
        ...


@dataclass(frozen=True)
class Replicated:
    """Norm weights: the same on every rank."""

    shape: Shape

    @property
    def shapes(self) -> tuple[Shape, ...]:
        return (self.shape,)

    @property
    def is_split(self) -> bool:
        return False

    def take(self, source: Source, names: tuple[str, ...], rank: int, size: int) -> Tensor:
        return source.whole(names[0])

    def join(self, shards: list[Tensor]) -> tuple[Tensor, ...]:
        return (shards[0],)


@dataclass(frozen=True)
class Vocabulary:
    """Embedding and output rows, split over ranks; zero rows after the last token fill up to equal shares."""

    num_tokens: int
    hidden_size: int

    @property
    def shapes(self) -> tuple[Shape, ...]:
        return ((self.num_tokens, self.hidden_size),)

    @property
    def is_split(self) -> bool:
        return True

    def take(self, source: Source, names: tuple[str, ...], rank: int, size: int) -> Tensor:
        share = -(-self.num_tokens // size)
        start, end = (min(edge, self.num_tokens) for edge in (rank * share, (rank + 1) * share))
        rows_OI = source.rows(names[0], start, end)
        return torch.cat([rows_OI, rows_OI.new_zeros(share - (end - start), self.hidden_size)])

    def join(self, shards: list[Tensor]) -> tuple[Tensor, ...]:
        return (torch.cat(shards)[: self.num_tokens],)


@dataclass(frozen=True)
class Columns:
    """Weights of row-parallel layers (attention output, MLP down): the inputs are split over ranks."""

    num_outputs: int
    num_inputs: int

    @property
    def shapes(self) -> tuple[Shape, ...]:
        return ((self.num_outputs, self.num_inputs),)

    @property
    def is_split(self) -> bool:
        return True

    def take(self, source: Source, names: tuple[str, ...], rank: int, size: int) -> Tensor:
        share = self.num_inputs // size
        return source.columns(names[0], rank * share, (rank + 1) * share)

    def join(self, shards: list[Tensor]) -> tuple[Tensor, ...]:
        return (torch.cat(shards, dim=1),)


@dataclass(frozen=True)
class GateUp:
    """SwiGLU's two input projections in one: each rank holds its rows of gate, then its rows of up."""

    ffn_hidden_size: int
    hidden_size: int

    @property
    def shapes(self) -> tuple[Shape, ...]:
        return ((self.ffn_hidden_size, self.hidden_size),) * 2

    @property
    def is_split(self) -> bool:
        return True

    def take(self, source: Source, names: tuple[str, ...], rank: int, size: int) -> Tensor:
        share = self.ffn_hidden_size // size
        return torch.cat([source.rows(name, rank * share, (rank + 1) * share) for name in names])

    def join(self, shards: list[Tensor]) -> tuple[Tensor, ...]:
        halves = [shard.chunk(2) for shard in shards]
        return torch.cat([gate for gate, _ in halves]), torch.cat([up for _, up in halves])


@dataclass(frozen=True)
class QueryKeyValue:
    """Query, key and value projections in one, group by group: the queries of a group, its key, its value.

    `num_inputs` is 0 for a bias. Groups are split over ranks.
    """

    num_attention_heads: int
    num_query_groups: int
    kv_channels: int
    num_inputs: int

    @property
    def shapes(self) -> tuple[Shape, ...]:
        inputs = (self.num_inputs,) if self.num_inputs else ()
        query, key_value = self.num_attention_heads * self.kv_channels, self.num_query_groups * self.kv_channels
        return (query, *inputs), (key_value, *inputs), (key_value, *inputs)

    @property
    def is_split(self) -> bool:
        return True

    def take(self, source: Source, names: tuple[str, ...], rank: int, size: int) -> Tensor:
        num_groups = self.num_query_groups // size
        parts = []
        for name, rows_per_group in zip(names, self._rows_per_group(), strict=True):
            share = num_groups * rows_per_group
            part = source.rows(name, rank * share, (rank + 1) * share)
            parts.append(part.unflatten(0, (num_groups, rows_per_group)))
        return torch.cat(parts, dim=1).flatten(0, 1)

    def join(self, shards: list[Tensor]) -> tuple[Tensor, ...]:
        rows_per_group = self._rows_per_group()
        by_group = torch.cat(shards).unflatten(0, (self.num_query_groups, sum(rows_per_group)))
        return tuple(part.flatten(0, 1) for part in by_group.split(rows_per_group, dim=1))

    def _rows_per_group(self) -> list[int]:
        return [
            self.num_attention_heads // self.num_query_groups * self.kv_channels,
            self.kv_channels,
            self.kv_channels,
        ]
