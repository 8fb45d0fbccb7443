"""The series of a job, whole over all its attempts, as few points as were asked for."""

from __future__ import annotations

import math
from collections import defaultdict

import numpy as np
from sqlalchemy.orm import Session

from backend.db.database import Database
from backend.db.known_jobs import require_jobs
from backend.feed.queries import newest_id
from backend.http.known_names import known_names
from backend.metrics import points, queries
from backend.metrics.downsampling import downsample
from backend.metrics.points import Points
from tunedeck.metrics import BY_NAME, DERIVED, catalogue_name
from tunedeck.views import MetricsView, Series

TOTAL_TOKENS = DERIVED[0].name

# metric → attempt → its points in parts, of which a later one has the right of way
Parts = dict[str, dict[int, list[Points]]]


def metrics(
    database: Database, job_id: str, names: frozenset[str], from_step: int, to_step: int, max_points: int
) -> MetricsView:
    """Every metric of `names` (empty: all) between two steps, both included. Raises NotFound, and BadInput for a name
    that is no metric.

    The cursor is read before the points, so that the stream may say again what is here, but never leaves out anything.
    """
    cursor, whole = points_of(database, job_id, names, from_step, to_step)
    series = {name: _series(found, max_points) for name, found in sorted(whole.items())}
    return MetricsView(series=series, cursor=str(cursor))


def points_of(
    database: Database, job_id: str, names: frozenset[str], from_step: int, to_step: int
) -> tuple[int, dict[str, Points]]:
    """The feed's cursor, and every point of what `metrics` was asked for; metrics without a point are left out.

    Rows are read before chunks: a database that gives each statement a snapshot of its own could otherwise show a point
    in neither.
    """
    known_names("name", {catalogue_name(name) for name in names}, BY_NAME.keys() | {TOTAL_TOKENS})
    measured = names - {TOTAL_TOKENS}
    with database.reading() as session:
        require_jobs(session, [job_id])
        cursor = newest_id(session)
        first_steps = queries.first_steps(session, job_id)
        parts = _parts(session, job_id, measured, from_step, to_step) if measured or not names else {}
        tokens = _parts(session, job_id, frozenset({"num_tokens"}), 0, to_step) if TOTAL_TOKENS in names else {}
    whole = {name: across_attempts(attempts, first_steps) for name, attempts in parts.items()}
    if tokens:
        whole[TOTAL_TOKENS] = total_tokens(across_attempts(tokens["num_tokens"], first_steps), from_step)
    return cursor, {name: found for name, found in whole.items() if len(found)}


def total_tokens(num_tokens: Points, from_step: int) -> Points:
    """Tokens of all steps up to and with each one from `from_step` on. `num_tokens` begins with the first step."""
    so_far = np.cumsum(np.nan_to_num(num_tokens.values))
    return Points(num_tokens.steps, num_tokens.times, so_far).take(num_tokens.steps >= from_step)


def across_attempts(attempts: dict[int, list[Points]], first_steps: dict[int, int]) -> Points:
    """A later attempt takes the place of the earlier ones from its first step on: they trained that anew."""
    kept: list[Points] = []
    taken_from = math.inf
    for number in sorted(attempts.keys() | first_steps.keys(), reverse=True):
        if number in attempts:
            own = Points.joined(attempts[number])
            kept.insert(0, own.take(own.steps < taken_from))
        taken_from = min(taken_from, first_steps.get(number, math.inf))
    return Points.joined(kept)


def _parts(session: Session, job_id: str, names: frozenset[str], from_step: int, to_step: int) -> Parts:
    parts: Parts = defaultdict(lambda: defaultdict(list))
    fresh: dict[int, list[tuple[int, float, dict[str, float | None]]]] = defaultdict(list)
    for row in queries.fresh_events(session, job_id, from_step, to_step):
        fresh[row.attempt].append((row.step or 0, row.t, row.payload["metrics"]))
    for chunk in queries.chunks(session, job_id, names, from_step, to_step):
        found = points.of_chunk(chunk)
        in_range = (found.steps >= from_step) & (found.steps <= to_step)
        parts[chunk.metric][chunk.attempt].append(found.take(in_range))
    for attempt, events in fresh.items():
        for name, found in points.of_events(events).items():
            if not names or name in names:
                parts[name][attempt].append(found)
    return parts


def _series(whole: Points, max_points: int) -> Series:
    shown = downsample(whole, max_points)
    return Series(
        steps=tuple(shown.steps.tolist()),
        times=tuple(shown.times.tolist()),
        values=tuple(value if math.isfinite(value) else None for value in shown.values.tolist()),
        num_points=len(whole),
    )
