"""How the samples of a global batch become microbatches on data-parallel ranks.

Every rank computes the whole plan from the lengths alone, so nothing is communicated and all ranks agree. First-fit
decides how many microbatches are needed; Karmarkar and Karp's differencing method then shares the samples out evenly
over that number, so that no rank waits long for another. The exact optimum was rejected: bin packing is NP-hard and the
plan is made at every step. Samples are never cut: one that is longer than a microbatch may be gets one of its own.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count

Bin = list[int]  # positions in the list of lengths
Plan = list[list[Bin]]  # plan[rank][microbatch]
# (load, positions) of each bin, the heaviest first. Empty bins are left out: most bins of most partitions are empty,
# and to hold them would take seconds and gigabytes for a batch of some thousand samples.
Partition = list[tuple[int, Bin]]


@dataclass(frozen=True)
class Layout:
    """What packing must obey: `max_tokens` per microbatch, lengths that are multiples of `multiple`, and the ranks."""

    max_tokens: int
    multiple: int
    data_parallel_size: int

    @property
    def capacity(self) -> int:
        """Tokens that may be packed so that the padded microbatch still holds at most `max_tokens`."""
        return max(self.max_tokens - self.max_tokens % self.multiple, self.multiple)

    def padded(self, num_tokens: int) -> int:
        """The length of a microbatch of that many tokens; never 0, because a rank without work must still take part."""
        return max(-(-num_tokens // self.multiple), 1) * self.multiple


def pack(lengths: Sequence[int], layout: Layout) -> Plan:
    """The microbatches of each rank: result[rank][microbatch] lists positions in `lengths`.

    Every position appears exactly once; every rank has the same number of microbatches, some of which may be empty.
    """
    fitted = first_fit(lengths, layout.capacity)
    size = layout.data_parallel_size
    num_bins = -(-len(fitted) // size) * size
    balanced = karmarkar_karp(lengths, num_bins)
    limit = max(layout.capacity, max(lengths, default=0))
    bins = (
        balanced if _fits(balanced, lengths, layout.capacity) else fitted + [[] for _ in range(num_bins - len(fitted))]
    )
    assert max(_load(bin_, lengths) for bin_ in bins) <= limit
    return _deal(bins, lengths, size)


def first_fit(lengths: Sequence[int], capacity: int) -> list[Bin]:
    """First-fit in the order given: each sample goes into the first bin with room, else opens a bin of its own."""
    bins: list[Bin] = []
    room: list[int] = []
    for position, length in enumerate(lengths):
        found = next((index for index, free in enumerate(room) if free >= length), None)
        if found is None:
            bins.append([position])
            room.append(capacity - length)
        else:
            bins[found].append(position)
            room[found] -= length
    return bins


def karmarkar_karp(lengths: Sequence[int], num_bins: int) -> list[Bin]:
    """Share positions out over `num_bins` bins of nearly equal total length (largest differencing method).

    Each sample starts as a partition of its own; again and again the two partitions that are most uneven are merged,
    the heaviest bin of one with the lightest of the other. Karmarkar and Karp, "The Differencing Method of Set
    Partitioning", 1982.
    """
    tie = count()
    heap: list[tuple[int, int, Partition]] = []  # most uneven first
    for position, length in enumerate(lengths):
        alone: Partition = [(length, [position])]
        heapq.heappush(heap, (-_spread(alone, num_bins), next(tie), alone))
    while len(heap) > 1:
        _, _, first = heapq.heappop(heap)
        _, _, second = heapq.heappop(heap)
        merged = _merged(first, second, num_bins)
        heapq.heappush(heap, (-_spread(merged, num_bins), next(tie), merged))
    bins = [bin_ for _, bin_ in heap[0][2]] if heap else []
    return bins + [[] for _ in range(num_bins - len(bins))]


def _merged(first: Partition, second: Partition, num_bins: int) -> Partition:
    """The heaviest bin of one joined with the lightest of the other, and so on; empty bins come before the lightest."""
    overlap_first, overlap_second = num_bins - len(second), num_bins - len(first)
    pairs = zip(first[overlap_first:], reversed(second[overlap_second:]), strict=True)
    joined = [(a + b, x + y) for (a, x), (b, y) in pairs]
    return sorted(first[:overlap_first] + second[:overlap_second] + joined, key=lambda bin_: bin_[0], reverse=True)


def _spread(partition: Partition, num_bins: int) -> int:
    return partition[0][0] - (partition[-1][0] if len(partition) == num_bins else 0)


def _load(bin_: Bin, lengths: Sequence[int]) -> int:
    return sum(lengths[position] for position in bin_)


def _fits(bins: list[Bin], lengths: Sequence[int], capacity: int) -> bool:
    """Whether every bin holds at most `capacity` tokens, or a single sample."""
    return all(len(bin_) <= 1 or _load(bin_, lengths) <= capacity for bin_ in bins)


def _deal(bins: list[Bin], lengths: Sequence[int], num_ranks: int) -> Plan:
    """Deal bins out, heaviest first and back and forth, so that ranks get equally many and nearly equal loads."""
    ordered = sorted(bins, key=lambda bin_: _load(bin_, lengths), reverse=True)
    dealt: list[list[Bin]] = [[] for _ in range(num_ranks)]
    for turn, start in enumerate(range(0, len(ordered), num_ranks)):
        ranks = range(num_ranks) if turn % 2 == 0 else reversed(range(num_ranks))
        for rank, bin_ in zip(ranks, ordered[start : start + num_ranks], strict=True):
            dealt[rank].append(sorted(bin_))
    return dealt
