"""The tokenised data set: every sample that can be learned, end to end in flat arrays that are mapped into memory.

All ranks of a host map the same files, so that eight ranks hold one copy and a data set may be larger than memory. A
list of Python lists was rejected: it takes ten times the space.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from tunedeck.tokens.token_files import LEARNED, NUM_LEARNED, OFFSETS, TOKENS, WEIGHTED, WEIGHTS

# N: tokens of the whole data set; S: samples; R: stretches of learned tokens whose weight is not 1; L: tokens of one
# sample.


@dataclass(frozen=True)
class Samples:
    """Sample i is tokens_N[offsets_S1[i] : offsets_S1[i + 1]]; `learned_N` marks the tokens that shall be predicted.

    The tokens from weighted_R2[r, 0] up to weighted_R2[r, 1] have the weight weights_R[r] in the loss; all other
    learned ones have 1.
    """

    tokens_N: np.ndarray
    learned_N: np.ndarray
    offsets_S1: np.ndarray
    num_learned_S: np.ndarray
    weighted_R2: np.ndarray = field(default_factory=lambda: np.empty((0, 2), np.int64))
    weights_R: np.ndarray = field(default_factory=lambda: np.empty(0, np.float32))

    @classmethod
    def open(cls, folder: Path) -> Samples:
        """Map what `tunedeck.tokens.preparation` has written. Raises FileNotFoundError."""
        return cls(
            tokens_N=np.memmap(folder / TOKENS, np.int32, "r"),
            learned_N=np.memmap(folder / LEARNED, np.bool_, "r"),
            # These are read at every step, and are small beside the tokens.
            offsets_S1=np.fromfile(folder / OFFSETS, np.int64),
            num_learned_S=np.fromfile(folder / NUM_LEARNED, np.int32),
            weighted_R2=np.fromfile(folder / WEIGHTED, np.int64).reshape(-1, 2),
            weights_R=np.fromfile(folder / WEIGHTS, np.float32),
        )

    def __len__(self) -> int:
        return len(self.num_learned_S)

    def length(self, index: int) -> int:
        return int(self.offsets_S1[index + 1] - self.offsets_S1[index])

    def tokens(self, index: int) -> np.ndarray:
        return self.tokens_N[self.offsets_S1[index] : self.offsets_S1[index + 1]]

    def learned(self, index: int) -> np.ndarray:
        return self.learned_N[self.offsets_S1[index] : self.offsets_S1[index + 1]]

    def weights(self, index: int) -> np.ndarray:
        """[L] float64: the weight of each token in the loss, 0 where it is not learned."""
        weights_L = self.learned(index).astype(np.float64)
        for run in range(*self._first_weighted[index : index + 2]):
            start, stop = self.weighted_R2[run] - self.offsets_S1[index]
            weights_L[start:stop] = self.weights_R[run]
        return weights_L

    @cached_property
    def sums_of_weights(self) -> np.ndarray:
        """[S] float64: the sum of the weights of each sample, the number of its learned tokens where all are 1."""
        sample_R = np.repeat(np.arange(len(self)), np.diff(self._first_weighted))
        more_R = np.diff(self.weighted_R2)[:, 0] * (self.weights_R.astype(np.float64) - 1)
        return self.num_learned_S + np.bincount(sample_R, more_R, len(self))

    @cached_property
    def _first_weighted(self) -> np.ndarray:
        """Sample i has the weighted stretches from number [i] up to number [i + 1]."""
        return np.searchsorted(self.weighted_R2[:, 0], self.offsets_S1)
