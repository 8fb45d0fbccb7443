"""The tables of a report: what came out of each run, and in which fields of their specs they differ."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from backend.reports.content import Run
from frontend.filters import UNKNOWN, count, duration, hours, money, number, si, size


@dataclass(frozen=True)
class Column:
    title: str
    of: Callable[[Run], float | None]
    text: Callable[[float | None], str]
    best: Callable[[Sequence[float]], float] | None


def _latest(metric: str) -> Callable[[Run], float | None]:
    return lambda run: run.job.latest.get(metric)


def _median(metric: str) -> Callable[[Run], float | None]:
    """Of the run's points: its typical speed is not that of its newest step."""

    def of(run: Run) -> float | None:
        curve = run.curves.get(metric)
        finite = curve.points.values[np.isfinite(curve.points.values)] if curve else np.empty(0)
        return float(np.median(finite)) if len(finite) else None

    return of


def _trained_s(run: Run) -> float | None:
    began, ended = run.job.started_at, run.job.ended_at
    if began is None:
        return None
    newest = max((curve.points.times[-1] for curve in run.curves.values()), default=began)
    return float((ended or newest) - began)


def _percent(value: float | None) -> str:
    return UNKNOWN if value is None else f"{100 * value:.1f}%"


COLUMNS = (
    Column("Steps", lambda run: run.job.step, count, None),
    Column("Training loss", _latest("loss"), number, min),
    Column("Validation loss", _latest("validation_loss"), number, min),
    Column("Best validation", lambda run: run.job.best_validation_loss, number, min),
    Column("Tokens/s per GPU", _median("tokens_per_s_per_gpu"), si, max),
    Column("MFU", _median("mfu"), _percent, max),
    Column("Peak memory", _latest("peak_memory_bytes"), size, min),
    Column("Trained for", _trained_s, duration, None),
    Column("Tokens", lambda run: run.job.num_tokens, si, None),
    Column("Device-hours", lambda run: run.job.usage.device_hours, hours, None),
    Column("Cost", lambda run: run.job.usage.cost, money, min),
)


def results(runs: Sequence[Run]) -> list[list[tuple[str, bool]]]:
    """A row a run: of each column the text, and whether it is the best of at least two that differ."""
    values = [[column.of(run) for column in COLUMNS] for run in runs]
    best = [_best(column, [row[at] for row in values]) for at, column in enumerate(COLUMNS)]
    return [
        [
            (column.text(value), value is not None and value == best[at])
            for at, (column, value) in enumerate(zip(COLUMNS, row, strict=True))
        ]
        for row in values
    ]


def _best(column: Column, values: Sequence[float | None]) -> float | None:
    known = {value for value in values if value is not None}
    return column.best(list(known)) if column.best and len(known) > 1 else None


def differences(runs: Sequence[Run]) -> list[tuple[str, list[str]]]:
    """The fields in which the resolved specs are not all the same, with the value of each run."""
    specs = [dict(_leaves(run.job.resolved)) for run in runs]
    paths = dict.fromkeys(path for spec in specs for path in spec if path != "name")
    rows = [(path, [spec.get(path, UNKNOWN) for spec in specs]) for path in paths]
    return [(path, values) for path, values in rows if len(set(values)) > 1]


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    if not isinstance(value, Mapping):
        yield path, value if isinstance(value, str) else json.dumps(value)
        return
    for key, part in value.items():
        yield from _leaves(part, f"{path}.{key}" if path else key)
