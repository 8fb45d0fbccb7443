"""The tokenised data set: every sample that can be learned, end to end in flat arrays that are mapped into memory.

All ranks of a host map the same files, so that eight ranks hold one copy and a data set may be larger than memory. A
list of Python lists was rejected: it takes ten times the space.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tunedeck.tokens.preparation import LEARNED, NUM_LEARNED, OFFSETS, TOKENS

# N: tokens of the whole data set; S: samples.


@dataclass(frozen=True)
class Samples:
    """Sample i is tokens_N[offsets_S1[i] : offsets_S1[i + 1]]; `learned_N` marks the tokens that shall be predicted."""

    tokens_N: np.ndarray
    learned_N: np.ndarray
    offsets_S1: np.ndarray
    num_learned_S: np.ndarray

    @classmethod
    def open(cls, folder: Path) -> Samples:
        """Map what `tunedeck.tokens.preparation` has written. Raises FileNotFoundError."""
        return cls(
            tokens_N=np.memmap(folder / TOKENS, np.int32, "r"),
            learned_N=np.memmap(folder / LEARNED, np.bool_, "r"),
            # Both are read at every step, and are small beside the tokens.
            offsets_S1=np.fromfile(folder / OFFSETS, np.int64),
            num_learned_S=np.fromfile(folder / NUM_LEARNED, np.int32),
        )

    def __len__(self) -> int:
        return len(self.num_learned_S)

    def length(self, index: int) -> int:
        return int(self.offsets_S1[index + 1] - self.offsets_S1[index])

    def tokens(self, index: int) -> np.ndarray:
        return self.tokens_N[self.offsets_S1[index] : self.offsets_S1[index + 1]]

    def learned(self, index: int) -> np.ndarray:
        return self.learned_N[self.offsets_S1[index] : self.offsets_S1[index + 1]]
