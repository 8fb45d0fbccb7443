"""The training loss of a whole run in at most NUM_VALUES numbers, for the small curve of a row in a list of runs.

Kept up to date step by step and stored with the job, so that a list of thousands reads no points. Each value is the
mean over a stretch of equally many steps; where they become too many, each two neighbours become one and a stretch
twice as long. It refuses to keep single spikes: the run page does. Reading a few points of each run when the list is
asked for was rejected: 50 runs would be 50 searches among millions of rows.
"""

from __future__ import annotations

import math
from itertools import zip_longest
from typing import Any

NUM_VALUES = 40
_DIGITS = 5


class LossCurve:
    """`values[k]` is the mean loss of the steps k·stride + 1 to (k + 1)·stride; None where none was finite."""

    def __init__(self, stored: dict[str, Any]) -> None:
        """`stored` as `as_stored` made it; an empty one begins a curve."""
        self._stride: int = stored.get("stride", 1)
        self._values: list[float | None] = list(stored.get("values", ()))
        # Of the last stretch, which is still being filled.
        self._num_in_last: int = stored.get("num_in_last", 0)

    def add(self, step: int, loss: float | None) -> None:
        """Steps come in order and begin at 1; some may be missing."""
        while (step - 1) // self._stride >= NUM_VALUES:
            self._halve()
        while len(self._values) <= (step - 1) // self._stride:
            self._begin_stretch()
        if loss is not None and math.isfinite(loss):
            self._num_in_last += 1
            mean = self._values[-1] or 0.0
            self._values[-1] = mean + (loss - mean) / self._num_in_last

    def cut_from(self, step: int) -> None:
        """Forget what a new attempt trains anew. The stretch that it begins in keeps its mean as that of the steps
        before: which of them had been how is not known any more."""
        num_kept = (step - 2) // self._stride + 1
        if num_kept > len(self._values):
            return
        num_before = step - 1 - (num_kept - 1) * self._stride
        self._num_in_last = num_before if num_kept < len(self._values) else min(num_before, self._num_in_last)
        del self._values[num_kept:]
        if self._values and self._values[-1] is None:
            self._num_in_last = 0

    def as_stored(self) -> dict[str, Any]:
        if not self._values:
            return {}
        return {"stride": self._stride, "values": list(self._values), "num_in_last": self._num_in_last}

    def _begin_stretch(self) -> None:
        # Not sooner: what is added to the mean of many steps may be less than the last digit that is kept.
        if self._values:
            self._values[-1] = _short(self._values[-1])
        self._values.append(None)
        self._num_in_last = 0

    def _halve(self) -> None:
        """The last stretch is over: the step that did not fit begins a new one in the second half."""
        pairs = zip_longest(self._values[::2], self._values[1::2])
        self._values = [_mean_of(pair) for pair in pairs]
        self._stride *= 2


def _mean_of(pair: tuple[float | None, float | None]) -> float | None:
    known = [value for value in pair if value is not None]
    return _short(sum(known) / len(known)) if known else None


def _short(value: float | None) -> float | None:
    """With as many digits as a curve of a few pixels can show."""
    return None if value is None else float(f"{value:.{_DIGITS}g}")
