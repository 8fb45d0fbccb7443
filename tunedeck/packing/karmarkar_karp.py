"""Even shares by Karmarkar and Karp's differencing method ("The Differencing Method of Set Partitioning", 1982).

The exact optimum was rejected: the problem is NP-hard and is solved anew at every step.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from itertools import count

Bin = list[int]  # positions in the list of lengths
# (load, positions) of each bin, the heaviest first. Empty bins are left out: most bins of most partitions are empty,
# and to hold them would take seconds and gigabytes for a batch of some thousand samples.
Partition = list[tuple[int, Bin]]


def karmarkar_karp(lengths: Sequence[int], num_bins: int) -> list[Bin]:
    """Share positions out over `num_bins` bins of nearly equal total length (largest differencing method).

    Each sample starts as a partition of its own; again and again the two partitions that are most uneven are merged,
    the heaviest bin of one with the lightest of the other.
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
