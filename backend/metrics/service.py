"""The series of a job, whole over all its attempts, as few points as were asked for."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from sqlalchemy.orm import Session

from backend.db.database import Database
from backend.db.known_jobs import require_jobs
from backend.feed.queries import newest_id
from backend.http.known_names import known_names
from backend.metrics.downsampling import downsample
from backend.metrics.points import Points
from backend.metrics.reading import Found, Wanted, read
from tunedeck.metrics import BY_NAME, DERIVED, catalogue_name
from tunedeck.views.metrics import MetricsView, Series

TOTAL_TOKENS = DERIVED[0].name
NUM_TOKENS = "num_tokens"


@dataclass(frozen=True)
class Thinned:
    """One metric, small enough to draw. `num_points` is how many there were."""

    points: Points
    num_points: int


def metrics(
    database: Database, job_id: str, names: frozenset[str], from_step: int, to_step: int, max_points: int
) -> MetricsView:
    """What `thinned` gives, as the view that clients read."""
    cursor, series = thinned(database, job_id, names, from_step, to_step, max_points)
    return MetricsView(cursor=str(cursor), series={name: _series(found) for name, found in series.items()})


def thinned(
    database: Database, job_id: str, names: frozenset[str], from_step: int, to_step: int, max_points: int
) -> tuple[int, dict[str, Thinned]]:
    """The feed's cursor, and every metric of `names` (empty: all) between two steps, both included; metrics without a
    point are left out. Raises NotFound, and BadInput for a name that is no metric.

    The cursor is read before the points, so that the stream may say again what is here, but never leaves out anything.
    """
    cursor, found = _found(database, Wanted(job_id, names, from_step, to_step, max_points))
    return cursor, {
        name: Thinned(downsample(points, max_points), len(points) + found.num_left_out[name])
        for name, points in sorted(found.whole.items())
    }


def points_of(
    database: Database, job_id: str, names: frozenset[str], from_step: int, to_step: int
) -> tuple[int, dict[str, Points]]:
    """As `thinned`, but every point."""
    cursor, found = _found(database, Wanted(job_id, names, from_step, to_step))
    return cursor, dict(found.whole)


def sums_before(session: Session, job_id: str, names: tuple[str, ...], step: int) -> tuple[float, ...]:
    """The sum of each metric over all steps before `step`, across attempts."""
    if step <= 1:
        return (0.0,) * len(names)
    whole = read(session, Wanted(job_id, frozenset(names), 0, step - 1)).whole
    return tuple(float(np.nansum(whole[name].values)) if name in whole else 0.0 for name in names)


def total_tokens(num_tokens: Points, from_step: int) -> Points:
    """Tokens of all steps up to and with each one from `from_step` on. `num_tokens` begins with the first step."""
    so_far = np.cumsum(np.nan_to_num(num_tokens.values))
    return Points(num_tokens.steps, num_tokens.times, so_far).take(num_tokens.steps >= from_step)


def _found(database: Database, wanted: Wanted) -> tuple[int, Found]:
    known_names("name", {catalogue_name(name) for name in wanted.names}, BY_NAME.keys() | {TOTAL_TOKENS})
    measured = replace(wanted, names=wanted.names - {TOTAL_TOKENS})
    with database.reading() as session:
        require_jobs(session, [wanted.job_id])
        cursor = newest_id(session)
        found = read(session, measured) if measured.names or not wanted.names else Found({})
        if TOTAL_TOKENS in wanted.names:
            # Of these every point is read: what is left out could not be counted.
            tokens = read(session, Wanted(wanted.job_id, frozenset({NUM_TOKENS}), 0, wanted.to_step))
            found = Found({**found.whole, **_totals(tokens, wanted.from_step)}, found.num_left_out)
    return cursor, found


def _totals(tokens: Found, from_step: int) -> dict[str, Points]:
    if NUM_TOKENS not in tokens.whole:
        return {}
    totals = total_tokens(tokens.whole[NUM_TOKENS], from_step)
    return {TOTAL_TOKENS: totals} if len(totals) else {}


def _series(found: Thinned) -> Series:
    shown = found.points
    return Series(
        steps=tuple(shown.steps.tolist()),
        times=tuple(shown.times.tolist()),
        values=tuple(value if math.isfinite(value) else None for value in shown.values.tolist()),
        num_points=found.num_points,
    )
