"""Statistics over millions of lengths in a few hundred counters.

A length below 64 has a counter of its own; above, each doubling is divided into 32 steps, so that a percentile, which
is given as the upper end of its step, is at most 1/32 too high.
"""

from __future__ import annotations

from collections import Counter

from tunedeck.conversations.report import LengthBin, LengthStatistics

_STEP_BITS = 5


class Lengths:
    def __init__(self) -> None:
        self._num_by_upper: Counter[int] = Counter()
        self.num = self._sum = self._maximum = 0
        self._minimum = 1 << 62

    def add(self, length: int) -> None:
        self.num += 1
        self._sum += length
        self._minimum = min(self._minimum, length)
        self._maximum = max(self._maximum, length)
        shift = max(length.bit_length() - _STEP_BITS - 1, 0)
        self._num_by_upper[(((length >> shift) + 1) << shift) - 1] += 1

    def statistics(self) -> LengthStatistics:
        if self.num == 0:
            return LengthStatistics(minimum=0, mean=0, p50=0, p90=0, p99=0, maximum=0, histogram=())
        return LengthStatistics(
            minimum=self._minimum,
            mean=round(self._sum / self.num, 1),
            p50=self._percentile(0.50),
            p90=self._percentile(0.90),
            p99=self._percentile(0.99),
            maximum=self._maximum,
            histogram=self._histogram(),
        )

    def _percentile(self, share: float) -> int:
        num = 0
        for upper in sorted(self._num_by_upper):
            num += self._num_by_upper[upper]
            if num >= share * self.num:
                return min(upper, self._maximum)
        return self._maximum

    def _histogram(self) -> tuple[LengthBin, ...]:
        """One bin for each doubling, from the first that holds a row to the last."""
        bins: Counter[int] = Counter()
        for upper, num in self._num_by_upper.items():
            bins[upper.bit_length()] += num
        return tuple(LengthBin(upper=(1 << bits) - 1, num_rows=bins[bits]) for bits in range(min(bins), max(bins) + 1))
