"""Packing: nothing is lost, nothing is cut, every rank has the same number of microbatches, and loads are even."""

from __future__ import annotations

import random
from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunedeck.packing import Layout, pack
from tunedeck.packing.karmarkar_karp import karmarkar_karp
from tunedeck.packing.plan import first_fit

layouts = st.builds(
    Layout,
    max_tokens=st.integers(16, 200),
    multiple=st.sampled_from([4, 16]),
    data_parallel_size=st.integers(1, 5),
    sequence_multiple=st.sampled_from([1, 2, 4]),
    microbatch_multiple=st.integers(1, 3),
    balance_data=st.booleans(),
)


@given(st.lists(st.integers(2, 300), min_size=1, max_size=60), layouts)
def test_every_sample_is_packed_once_and_within_the_limit(lengths: list[int], layout: Layout) -> None:
    plan = pack(lengths, layout)
    assert len(plan) == layout.data_parallel_size
    assert len({len(bins) for bins in plan}) == 1
    assert len(plan[0]) % layout.microbatch_multiple == 0
    bins = [bin_ for rank in plan for bin_ in rank]
    assert sorted(chain.from_iterable(bins)) == list(range(len(lengths)))
    for bin_ in bins:
        tokens = sum(layout.padded_sequence(lengths[position]) for position in bin_)
        assert len(bin_) <= 1 or layout.padded(tokens) <= layout.max_tokens
        assert layout.padded(tokens) % layout.multiple == 0
        assert layout.padded(tokens) >= max(tokens, 1)


@given(st.lists(st.integers(2, 300), min_size=1, max_size=60), layouts)
def test_no_more_microbatches_than_first_fit_needs(lengths: list[int], layout: Layout) -> None:
    needed = len(first_fit([layout.padded_sequence(length) for length in lengths], layout.capacity))
    at_once = layout.data_parallel_size * layout.microbatch_multiple
    assert len(pack(lengths, layout)[0]) == -(-needed // at_once) * layout.microbatch_multiple


@given(st.lists(st.integers(2, 300), min_size=1, max_size=60), layouts)
def test_no_microbatch_is_empty_while_another_one_holds_two_samples(lengths: list[int], layout: Layout) -> None:
    sizes = {len(bin_) for rank in pack(lengths, layout) for bin_ in rank}
    assert not (0 in sizes and max(sizes) > 1)


def test_first_fit_by_hand() -> None:
    assert first_fit([6, 5, 4, 3, 12, 2], capacity=10) == [[0, 2], [1, 3, 5], [4]]


def test_differencing_by_hand() -> None:
    # Karmarkar and Karp's own example: 8 7 6 5 4 splits into sums of 16 and 14 by differencing (the optimum is 15, 15).
    bins = karmarkar_karp([8, 7, 6, 5, 4], 2)
    assert sorted(sum([8, 7, 6, 5, 4][position] for position in bin_) for bin_ in bins) == [14, 16]


@given(st.lists(st.integers(1, 60), max_size=40), st.integers(1, 9))
def test_differencing_does_as_its_definition_says(lengths: list[int], num_bins: int) -> None:
    partitions = [[length] + [0] * (num_bins - 1) for length in lengths]
    while len(partitions) > 1:
        partitions.sort(key=lambda sums: sums[0] - sums[-1], reverse=True)
        first, second, *rest = partitions
        merged = sorted((a + b for a, b in zip(first, reversed(second), strict=True)), reverse=True)
        partitions = [*rest, merged]
    bins = karmarkar_karp(lengths, num_bins)
    assert sorted(chain.from_iterable(bins)) == list(range(len(lengths)))
    loads = sorted((sum(lengths[position] for position in bin_) for bin_ in bins), reverse=True)
    assert loads == (partitions[0] if partitions else [0] * num_bins)


def test_an_overlong_sample_has_a_microbatch_of_its_own_and_is_whole() -> None:
    plan = pack([30, 400, 30], Layout(max_tokens=64, multiple=1, data_parallel_size=1))
    assert sorted(plan[0]) == [[0, 2], [1]]


def test_without_balance_microbatches_are_dealt_in_the_order_in_which_first_fit_opened_them() -> None:
    layout = Layout(max_tokens=10, multiple=1, data_parallel_size=2, balance_data=False)
    assert pack([6, 5, 4, 3, 12, 2, 9], layout) == [[[0, 2], [4]], [[1, 3, 5], [6]]]


def test_the_heaviest_microbatch_is_split_when_the_ranks_cannot_share_them_evenly() -> None:
    layout = Layout(max_tokens=10, multiple=1, data_parallel_size=2, balance_data=False)
    assert pack([6, 4, 9, 3, 3, 3], layout) == [[[0], [2]], [[1], [3, 4, 5]]]


def test_a_static_microbatch_holds_so_many_samples_however_long_they_are() -> None:
    layout = Layout(10, 1, data_parallel_size=2, micro_batch_size=2, balance_data=False)
    assert pack([500, 1, 2, 3, 4, 5, 6, 7], layout) == [[[0, 1], [4, 5]], [[2, 3], [6, 7]]]
    balanced = Layout(10, 1, data_parallel_size=2, micro_batch_size=2)
    assert pack([1, 1, 9, 9, 5, 5, 3, 3], balanced) == [[[2, 3], [0, 1]], [[4, 5], [6, 7]]]


def test_a_rank_without_samples_still_takes_part() -> None:
    layout = Layout(max_tokens=64, multiple=4, data_parallel_size=2)
    assert pack([10], layout) == [[[0]], [[]]]
    assert layout.padded(0) == 4


@pytest.mark.parametrize("data_parallel_size", [2, 4])
def test_ranks_get_nearly_the_same_number_of_tokens(data_parallel_size: int) -> None:
    numbers = random.Random(3)
    worst = 0.0
    for _ in range(50):
        lengths = [min(4096, max(8, int(numbers.lognormvariate(5.5, 1.0)))) for _ in range(128)]
        plan = pack(lengths, Layout(4096, 1, data_parallel_size))
        loads = [sum(lengths[position] for bin_ in bins for position in bin_) for bins in plan]
        worst = max(worst, max(loads) * data_parallel_size / sum(loads))
    assert worst < 1.1
