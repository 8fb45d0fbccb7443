"""The usual value of a series and how far it strays from it, in three numbers."""

from __future__ import annotations

from dataclasses import dataclass

from backend.health.rules import WARM_UP_STEPS


@dataclass
class Level:
    mean: float = 0.0
    deviation: float = 0.0
    num: int = 0

    def add(self, value: float, weight: float) -> None:
        """An exponential mean; of the first 1/weight values the plain one, so that the first does not weigh more."""
        self.num += 1
        weight = max(weight, 1 / self.num)
        error = value - self.mean
        self.mean += weight * error
        self.deviation += weight * (abs(error) - self.deviation)

    def follow(self, value: float, weight: float) -> None:
        """`add` for a value that is not usual: the deviation must not grow with it."""
        self.mean += weight * (value - self.mean)

    @property
    def is_known(self) -> bool:
        return self.num >= WARM_UP_STEPS
