"""Points of several metrics side by side, as CSV: for a spreadsheet or a notebook, which know nothing of series.

Nothing is thinned or rounded. pandas was rejected: it would be the backend's largest package for forty lines.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from backend.metrics.points import Floats, Points, Steps

_ROWS_AT_ONCE = 5_000


def lines(whole: Mapping[str, Points]) -> Iterator[str]:
    """A header, then a line for each step at which some metric has a point; in pieces of some hundred kilobytes."""
    names = sorted(whole)
    yield _text([["step", "time", *names]])
    if not names:
        return
    steps = np.unique(np.concatenate([whole[name].steps for name in names]))
    times = _times(steps, [whole[name] for name in names])
    columns = [_column(steps, whole[name]) for name in names]
    for start in range(0, len(steps), _ROWS_AT_ONCE):
        rows = slice(start, start + _ROWS_AT_ONCE)
        cells = [map(_cell, column[rows].tolist()) for column in columns]
        yield _text(zip(steps[rows].tolist(), times[rows].tolist(), *cells, strict=True))


def _times(steps: Steps, series: list[Points]) -> Floats:
    """Unix seconds of each step: those of the first metric that has it, since a step tells all of its own at once."""
    times = np.full(len(steps), np.nan)
    for points in reversed(series):
        times[np.searchsorted(steps, points.steps)] = points.times
    return times


def _column(steps: Steps, points: Points) -> Floats:
    values: NDArray[np.float64] = np.full(len(steps), np.nan)
    values[np.searchsorted(steps, points.steps)] = points.values
    return values


def _cell(value: float) -> str:
    """The shortest text that reads as the same number; nothing for what was not finite."""
    if not np.isfinite(value):
        return ""
    return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)


def _text(rows: Iterable[Iterable[object]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()
