"""A run of elements of a flattened tensor, as rectangles: NumPy's own flattening is the reference."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from megatron.core.dist_checkpointing.mapping import ShardedTensor

from worker.engine.checkpoint.shards import Shard, rectangles, shards_of

SHAPES = st.lists(st.integers(1, 5), min_size=1, max_size=4).map(tuple)


@settings(max_examples=200, deadline=None)
@given(st.data(), SHAPES)
def test_rectangles_hold_exactly_the_run_in_its_order(data: st.DataObject, shape: tuple[int, ...]) -> None:
    size = math.prod(shape)
    begin = data.draw(st.integers(0, size))
    end = data.draw(st.integers(begin, size))
    numbers = np.arange(size).reshape(shape)
    found = [
        numbers[tuple(slice(at, at + length) for at, length in zip(offset, extent, strict=True))].ravel()
        for offset, extent in rectangles(shape, begin, end)
    ]
    assert np.concatenate([*found, np.array([], int)]).tolist() == list(range(begin, end))
    assert len(found) <= 2 * len(shape) - 1


def test_a_run_that_ends_in_the_middle_of_a_rank_s_rows_keeps_its_place_among_all_ranks() -> None:
    shard = Shard("weight", (8, 4), (4, 0), (4, 4), start=0)
    parts = list(shard.within(2, 13))
    assert [(part.offset, part.shape, part.start) for part in parts] == [
        ((4, 2), (1, 2), 0),
        ((5, 0), (2, 4), 2),
        ((7, 0), (1, 1), 10),
    ]


@pytest.mark.parametrize("layers", [0, 1])
def test_layers_in_front_are_part_of_the_place(layers: int) -> None:
    data = torch.zeros(3, 2)
    rank_offsets = [(0, 4, 6)] if layers else []
    entry = ShardedTensor.from_rank_offsets("weight", data, *rank_offsets, prepend_axis_num=layers)
    (shard,) = shards_of(entry)
    assert shard.shape == ((1, 3, 2) if layers else (3, 2))
    assert shard.offset == ((4, 0, 0) if layers else (0, 0))
    assert shard.global_shape == ((6, 3, 2) if layers else (3, 2))
