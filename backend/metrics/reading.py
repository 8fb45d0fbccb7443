"""The points of a job from where they are, rows, chunks and outlines, put together over all its attempts.

Rows are read before chunks: a database that gives each statement a snapshot of its own could otherwise show a point in
neither.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from sqlalchemy.orm import Session

from backend.metrics import outlines, points, queries
from backend.metrics.points import Points
from backend.metrics.queries import ChunkHead

# metric → attempt → its points in parts, of which a later one has the right of way
Parts = dict[str, dict[int, list[Points]]]
# (metric, attempt) → its chunks
Heads = dict[tuple[str, int], list[ChunkHead]]


@dataclass(frozen=True)
class Wanted:
    """Metrics (none: every one) between two steps, both included. With `max_points` of each, more need not be read."""

    job_id: str
    names: frozenset[str]
    from_step: int
    to_step: int
    max_points: float = math.inf


@dataclass(frozen=True)
class Found:
    """`num_left_out`: of each metric how many points the outlines stand for."""

    whole: Mapping[str, Points]
    num_left_out: Counter[str] = field(default_factory=Counter)


def read(session: Session, wanted: Wanted) -> Found:
    """Metrics without a point are left out."""
    first_steps = queries.first_steps(session, wanted.job_id)
    fresh = _fresh(session, wanted)
    parts: Parts = defaultdict(lambda: defaultdict(list))
    num_left_out = _read_chunks(session, wanted, first_steps, parts)
    for name, attempts in fresh.items():
        for attempt, found in attempts.items():
            parts[name][attempt].extend(found)
    whole = {name: across_attempts(attempts, first_steps) for name, attempts in parts.items()}
    return Found({name: found for name, found in whole.items() if len(found)}, num_left_out)


def across_attempts(attempts: dict[int, list[Points]], first_steps: dict[int, int]) -> Points:
    """A later attempt takes the place of the earlier ones from its first step on: they trained that anew."""
    kept: list[Points] = []
    for number in sorted(attempts):
        own = Points.joined(attempts[number])
        kept.append(own.take(slice(int(np.searchsorted(own.steps, _taken_from(number, first_steps))))))
    return Points.joined(kept)


def _taken_from(attempt: int, first_steps: dict[int, int]) -> float:
    return min((first for number, first in first_steps.items() if number > attempt), default=math.inf)


def _fresh(session: Session, wanted: Wanted) -> Parts:
    events: dict[int, list[tuple[int, float, dict[str, float | None]]]] = defaultdict(list)
    for attempt, step, time, metrics in queries.fresh_points(session, wanted.job_id, wanted.from_step, wanted.to_step):
        events[attempt].append((step, time, metrics))
    parts: Parts = defaultdict(lambda: defaultdict(list))
    for attempt, told in events.items():
        for name, found in points.of_events(told).items():
            if not wanted.names or name in wanted.names:
                parts[name][attempt].append(found)
    return parts


def _read_chunks(session: Session, wanted: Wanted, first_steps: dict[int, int], parts: Parts) -> Counter[str]:
    """Outlines of the series that are long, the chunks themselves of others and at the ends of what is wanted."""
    outlined, rest = _outlined(session, wanted, first_steps)
    num_left_out: Counter[str] = Counter()
    for (metric, attempt), heads in outlined.items():
        joined = outlines.unpacked(b"".join(head.outline or b"" for head in heads))
        parts[metric][attempt].append(joined)
        num_left_out[metric] += sum(head.num_points for head in heads) - len(joined)
    range_ = (wanted.from_step, wanted.to_step)
    for chunk in queries.chunks(session, wanted.job_id, wanted.names, *range_, only=rest if outlined else None):
        found = points.of_chunk(chunk)
        in_range = (found.steps >= wanted.from_step) & (found.steps <= wanted.to_step)
        parts[chunk.metric][chunk.attempt].append(found.take(in_range))
    return num_left_out


def _outlined(session: Session, wanted: Wanted, first_steps: dict[int, int]) -> tuple[Heads, list[int]]:
    """The chunks whose outlines are enough, and the ids of the others."""
    outlined: Heads = defaultdict(list)
    rest: list[int] = []
    if math.isinf(wanted.max_points):
        return outlined, rest
    by_metric: dict[str, list[ChunkHead]] = defaultdict(list)
    for head in queries.chunk_heads(session, wanted.job_id, wanted.names, wanted.from_step, wanted.to_step):
        by_metric[head.metric].append(head)
    attempts = {head.attempt for heads in by_metric.values() for head in heads}
    # Of each attempt the last step that is wanted and that no later one trained anew.
    last_steps = {attempt: min(wanted.to_step, _taken_from(attempt, first_steps) - 1) for attempt in attempts}
    for metric, heads in by_metric.items():
        is_long = outlines.suffice(sum(head.num_points for head in heads), int(wanted.max_points))
        for head in heads:
            is_inside = wanted.from_step <= head.first_step and head.last_step <= last_steps[head.attempt]
            if is_long and head.outline and is_inside:
                outlined[metric, head.attempt].append(head)
            else:
                rest.append(head.id)
    return outlined, rest
