"""The zig-zag, against places written down by hand."""

from __future__ import annotations

import numpy as np
import pytest

from worker.engine.context_parallel import held_tokens


def test_each_rank_holds_an_early_and_a_late_piece_of_every_sequence() -> None:
    assert held_tokens([8, 4], 0, 2).tolist() == [0, 1, 6, 7, 8, 11]
    assert held_tokens([8, 4], 1, 2).tolist() == [2, 3, 4, 5, 9, 10]


@pytest.mark.parametrize("size", [1, 2, 4])
def test_the_ranks_together_hold_every_token_once(size: int) -> None:
    held = np.concatenate([held_tokens([16, 8, 24], rank, size) for rank in range(size)])
    assert sorted(held) == list(range(48))
