"""Which sample comes when: the recipe's order, and that a resumed run goes on exactly where it stopped."""

from __future__ import annotations

import random
from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunedeck.errors import DatasetInvalid
from tunedeck.packing import EpochOrder, split


def test_each_epoch_is_shuffled_from_the_original_order_and_its_tail_opens_the_next() -> None:
    expected = []
    for epoch in range(3):
        order = list(range(10, 17))
        random.seed(42 + epoch)
        random.shuffle(order)
        expected += order
    order = EpochOrder(tuple(range(10, 17)), 42, shuffle=True)
    batches = [order.take(start, 4) for start in range(0, 20, 4)]
    assert list(chain.from_iterable(batches)) == expected[:20]
    assert batches[1] == expected[4:8]  # three of the first epoch, one of the second


def test_without_shuffling_the_order_is_that_of_the_file() -> None:
    assert EpochOrder((3, 1, 2), 42, shuffle=False).take(1, 6) == [1, 2, 3, 1, 2, 3]


@given(st.integers(1, 50), st.integers(0, 200), st.integers(1, 60), st.integers(0, 9))
def test_entering_in_the_middle_gives_the_same_as_going_through(size: int, start: int, count: int, seed: int) -> None:
    samples = tuple(range(size))
    through = EpochOrder(samples, seed, shuffle=True).take(0, start + count)
    assert EpochOrder(samples, seed, shuffle=True).take(start, count) == through[start:]


@given(st.integers(1, 300), st.integers(0, 299), st.integers(0, 9))
def test_the_split_is_seeded_and_leaves_no_sample_out(size: int, held_out: int, seed: int) -> None:
    held_out = min(held_out, size - 1)
    parts = split(size, held_out, seed)
    assert len(parts.validation) == held_out
    assert sorted(parts.training + parts.validation) == list(range(size))
    assert list(parts.training) == sorted(parts.training)
    assert parts == split(size, held_out, seed)


def test_a_split_that_leaves_nothing_to_train_on_is_refused() -> None:
    with pytest.raises(DatasetInvalid, match="4 validation rows of 4 usable samples"):
        split(4, 4, 42)
