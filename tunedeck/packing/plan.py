"""How the samples of a global batch become microbatches on data-parallel ranks.

Every rank computes the whole plan from the lengths alone, so nothing is communicated and all ranks agree. First-fit
decides how many microbatches are needed; the differencing method then shares the samples out evenly over that number,
so that no rank waits long for another. Samples are never cut: one that is longer than a microbatch may be gets one of
its own.
"""

from __future__ import annotations

from collections.abc import Sequence

from tunedeck.packing.karmarkar_karp import Bin, karmarkar_karp
from tunedeck.packing.layout import Layout

Plan = list[list[Bin]]  # plan[rank][microbatch]: positions in the list of lengths


def pack(lengths: Sequence[int], layout: Layout) -> Plan:
    """The microbatches of each rank for samples of these lengths.

    Every position appears exactly once; every rank has the same number of microbatches, some of which may be empty.
    """
    sizes = [layout.padded_sequence(length) for length in lengths]
    bins = _chunks(len(sizes), layout.micro_batch_size) if layout.micro_batch_size else _filled(sizes, layout)
    step = layout.data_parallel_size * layout.microbatch_multiple
    bins += [[] for _ in range(-len(bins) % step)]
    return _dealt(bins, sizes, layout)


def padded_tokens(plan: Plan, lengths: Sequence[int], layout: Layout) -> int:
    """The tokens of all microbatches of all ranks, padding included."""
    return sum(sum(padded_lengths(bins, lengths, layout)) for bins in plan)


def padded_lengths(bins: list[Bin], lengths: Sequence[int], layout: Layout) -> list[int]:
    """The length of each microbatch of a rank. Those of an interleaved pipeline are made equally long: its stages do
    not tell each other how long they are."""
    sizes = [layout.padded_sequence(length) for length in lengths]
    padded = [layout.padded(_load(bin_, sizes)) for bin_ in bins]
    return padded if layout.microbatch_multiple == 1 else [max(padded)] * len(padded)


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


def _chunks(num_samples: int, micro_batch_size: int) -> list[Bin]:
    positions = list(range(num_samples))
    return [positions[start : start + micro_batch_size] for start in range(0, num_samples, micro_batch_size)]


def _filled(sizes: Sequence[int], layout: Layout) -> list[Bin]:
    """As many microbatches as first-fit needs, rounded up to what the ranks can share."""
    fitted = first_fit(sizes, layout.capacity)
    step = layout.data_parallel_size * layout.microbatch_multiple
    num_bins = -(-len(fitted) // step) * step
    if layout.balance_data:
        balanced = karmarkar_karp(sizes, num_bins)
        if all(len(bin_) <= 1 or _load(bin_, sizes) <= layout.capacity for bin_ in balanced):
            return balanced
    return _split(fitted, num_bins, sizes)


def _split(bins: list[Bin], num_bins: int, sizes: Sequence[int]) -> list[Bin]:
    """Halve the heaviest bin again and again until there are `num_bins`, or until no bin holds two samples."""
    bins = list(bins)
    while len(bins) < num_bins:
        candidates = [index for index, bin_ in enumerate(bins) if len(bin_) > 1]
        if not candidates:
            return bins
        heaviest = max(candidates, key=lambda index: _load(bins[index], sizes))
        halves = karmarkar_karp([sizes[position] for position in bins[heaviest]], 2)
        bins[heaviest : heaviest + 1] = [sorted(bins[heaviest][at] for at in half) for half in halves]
    return bins


def _dealt(bins: list[Bin], sizes: Sequence[int], layout: Layout) -> Plan:
    """Deal bins out in turn; to balance, the heaviest first and back and forth, so that loads are nearly equal."""
    num_ranks = layout.data_parallel_size
    ordered = sorted(bins, key=lambda bin_: _load(bin_, sizes), reverse=True) if layout.balance_data else bins
    dealt: Plan = [[] for _ in range(num_ranks)]
    for turn, start in enumerate(range(0, len(ordered), num_ranks)):
        back = layout.balance_data and turn % 2 == 1
        ranks = reversed(range(num_ranks)) if back else range(num_ranks)
        for rank, bin_ in zip(ranks, ordered[start : start + num_ranks], strict=True):
            dealt[rank].append(sorted(bin_))
    return dealt


def _load(bin_: Bin, sizes: Sequence[int]) -> int:
    return sum(sizes[position] for position in bin_)
