"""The charts of a report as plain values, which its own script draws: one a metric, a line for each run that has it.

Figures of the plotly package were rejected: importing it takes as long as the whole report, and all that its figures
would add is a theme that the report has in its style sheet.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from backend.metrics.service import Thinned
from backend.reports.content import Run
from tunedeck.metrics import CATALOGUE, Metric, catalogue_name

# Side by side with the training loss a validation loss says more.
SHOWN_WITH = {"validation_loss": "loss"}
_MIB = 2**20


def charts_of(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """In the order of the catalogue; metrics that no run has are left out."""
    found = (_chart(metric, runs) for metric in CATALOGUE if metric.name not in SHOWN_WITH)
    return [chart for chart in found if chart["lines"]]


def _chart(metric: Metric, runs: Sequence[Run]) -> dict[str, Any]:
    is_bytes = metric.unit == "B"
    return {
        "group": metric.group,
        "title": metric.title,
        "unit": "MiB" if is_bytes else metric.unit,
        "lines": [
            _line(name, at, run, curve, len(runs) == 1, _MIB if is_bytes else 1)
            for at, run in enumerate(runs)
            for name, curve in _curves_of(metric, run)
        ],
    }


def _curves_of(metric: Metric, run: Run) -> list[tuple[str, Thinned]]:
    """Those of its ranks, and what is shown with it, come along."""
    return [
        (name, curve)
        for name, curve in run.curves.items()
        if SHOWN_WITH.get(catalogue_name(name), catalogue_name(name)) == metric.name
    ]


def _line(name: str, at: int, run: Run, curve: Thinned, is_alone: bool, divisor: int) -> dict[str, Any]:
    """`run`: its place, which gives the colour. Seven digits are more than a screen shows."""
    short = name.replace("_", " ").replace(".", " ")
    is_other = catalogue_name(name) in SHOWN_WITH or name != catalogue_name(name)
    return {
        "run": at,
        "label": short if is_alone else f"{run.job.name} · {short}" if is_other else run.job.name,
        "has_few": len(curve.points) < 3 or catalogue_name(name) in SHOWN_WITH,
        "x": curve.points.steps.tolist(),
        "y": [_short(value / divisor) for value in curve.points.values.tolist()],
    }


def _short(value: float) -> float | None:
    return float(f"{value:.7g}") if math.isfinite(value) else None


def num_points(runs: Sequence[Run]) -> Mapping[str, int]:
    """How many points there are, and how many the report draws of them."""
    curves = [curve for run in runs for curve in run.curves.values()]
    return {"all": sum(curve.num_points for curve in curves), "drawn": sum(len(curve.points) for curve in curves)}
