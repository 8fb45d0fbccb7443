"""Which tokens of a pack a context-parallel rank holds.

Each sequence is cut into 2·CP pieces of equal length; rank r holds piece r and piece 2·CP - 1 - r. Later tokens attend
to more of the sequence than earlier ones, so each rank gets as much work as the others. This "zig-zag" order is that of
Transformer Engine's attention and of Megatron's rotary embedding; data and attention must agree with them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def held_tokens(lengths: Sequence[int], rank: int, size: int) -> np.ndarray:
    """Places in the pack of the tokens that `rank` of `size` holds, int64 [T / size], in its order.

    `lengths` are those of all sequences of the pack, each a multiple of 2·`size`.
    """
    starts = np.cumsum([0, *lengths[:-1]])
    pieces = []
    for start, length in zip(starts, lengths, strict=True):
        piece = length // (2 * size)
        for number in (rank, 2 * size - 1 - rank):
            pieces.append(np.arange(start + number * piece, start + (number + 1) * piece, dtype=np.int64))
    return np.concatenate(pieces)
