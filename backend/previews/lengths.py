"""The lengths of all samples of a data set in tokens, kept as a file of numbers: eight bytes a sample."""

from __future__ import annotations

import os
from array import array
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from tunedeck.conversations.lengths import Lengths
from tunedeck.conversations.report import LengthStatistics
from tunedeck.tokens.token_files import NUM_LEARNED, OFFSETS


def _numbers() -> array[int]:
    return array("I")


@dataclass
class SampleLengths:
    """Sample i has total[i] tokens, of which trained[i] are trained; the rest is its prompt."""

    total: array[int] = field(default_factory=_numbers)
    trained: array[int] = field(default_factory=_numbers)

    def save(self, path: Path) -> None:
        """Under a name of its own first, so that no reader and no other writer meets half a file."""
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(f"{path.name}.{os.getpid()}")
        with unfinished.open("wb") as file:
            self.total.tofile(file)
            self.trained.tofile(file)
        unfinished.replace(path)

    @classmethod
    def of(cls, tokens: Path) -> SampleLengths:
        """Of a folder of the token cache. Raises FileNotFoundError where it has been removed."""
        offsets = array("q", (tokens / OFFSETS).read_bytes())
        total = array("I", (stop - start for start, stop in pairwise(offsets)))
        return cls(total, array("I", (tokens / NUM_LEARNED).read_bytes()))

    @classmethod
    def load(cls, path: Path) -> SampleLengths:
        both = _numbers()
        both.frombytes(path.read_bytes())
        return cls(both[: len(both) // 2], both[len(both) // 2 :])

    def statistics(self) -> dict[str, LengthStatistics]:
        counters = {"prompt": Lengths(), "trained": Lengths(), "total": Lengths()}
        for total, trained in zip(self.total, self.trained, strict=True):
            counters["prompt"].add(total - trained)
            counters["trained"].add(trained)
            counters["total"].add(total)
        return {name: counter.statistics() for name, counter in counters.items()}
