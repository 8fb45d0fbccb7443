"""One measured line of the table: our figures, what other trackers do on the same data, and whether the goal is met."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Figures = Mapping[str, float]


@dataclass(frozen=True)
class Row:
    """`goal` says of some of our figures how large each may be. `headline` is the figure that the ratio is about."""

    what: str
    ours: Figures
    goal: Figures
    headline: str
    peer: Mapping[str, Figures | str] = field(default_factory=dict)
    note: str = ""

    @property
    def missed(self) -> list[str]:
        return [name for name, most in self.goal.items() if not self.ours[name] <= most]

    @property
    def ratio(self) -> float | None:
        """How many times the best peer takes what we take; None where none could be measured."""
        theirs = [figures[self.headline] for figures in self.peer.values() if not isinstance(figures, str)]
        return min(theirs) / self.ours[self.headline] if theirs else None

    def line(self) -> str:
        ratio = self.ratio
        told: dict[str, Any] = {
            "what": self.what,
            "ours": _short(self.ours),
            "peer": {name: each if isinstance(each, str) else _short(each) for name, each in self.peer.items()},
            "ratio": None if ratio is None else round(ratio, 2),
            "goal": dict(self.goal),
            "missed": self.missed,
        }
        return json.dumps(told | ({"note": self.note} if self.note else {}))


def percentile(values: Sequence[float], share: float) -> float:
    return float(np.percentile(values, share))


def _short(figures: Figures) -> dict[str, float]:
    return {name: float(f"{value:.4g}") for name, value in figures.items()}
