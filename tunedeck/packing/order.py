"""Which sample is trained when: the split into training and validation, and the order of the epochs.

The order is a pure function of the seed and the number of samples consumed so far, so a resumed run needs no state but
that number. PyTorch's samplers were rejected: their order cannot be entered in the middle without replaying it.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import lru_cache

from tunedeck.errors import DatasetInvalid


@dataclass(frozen=True)
class Split:
    """Indices of samples, each part in the order of the file."""

    training: tuple[int, ...]
    validation: tuple[int, ...]


def split(num_samples: int, num_validation: int, seed: int) -> Split:
    """Draw the validation samples by a seeded shuffle. Raises DatasetInvalid where nothing is left to train on."""
    if num_validation >= num_samples:
        raise DatasetInvalid.at(
            "data.validation_fraction",
            num_validation,
            f"{num_validation} validation rows of {num_samples} usable samples leave nothing to train on",
            "hold out a smaller share, or give more conversations",
        )
    drawn = list(range(num_samples))
    random.Random(seed).shuffle(drawn)
    return Split(tuple(sorted(drawn[num_validation:])), tuple(sorted(drawn[:num_validation])))


class EpochOrder:
    """An endless sequence of samples: epoch after epoch, each shuffled from the original order with seed + epoch.

    The tail of an epoch opens the next one, so every batch is full and no sample is left out.
    """

    def __init__(self, samples: tuple[int, ...], seed: int, *, shuffle: bool) -> None:
        self._samples = samples
        self._seed = seed
        self._shuffle = shuffle
        self._epoch = lru_cache(maxsize=2)(self._shuffled)

    def take(self, start: int, count: int) -> list[int]:
        """The samples number start ... start + count - 1 of the endless sequence, counted from 0."""
        size = len(self._samples)
        return [self._epoch(number // size)[number % size] for number in range(start, start + count)]

    def _shuffled(self, epoch: int) -> list[int]:
        order = list(self._samples)
        if self._shuffle:
            random.Random(self._seed + epoch).shuffle(order)
        return order
