"""Points of metrics as arrays, and the two forms in which they are stored: one row an event, one chunk a thousand.

steps: int64 [P], times: float64 [P] unix seconds, values: float64 [P], NaN where the engine said null.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from backend.db.tables.metrics import MetricChunkRow

Steps = NDArray[np.int64]
Floats = NDArray[np.float64]
CHUNK_POINTS = 1_000


@dataclass(frozen=True)
class Points:
    """Equally long arrays."""

    steps: Steps
    times: Floats
    values: Floats

    def __len__(self) -> int:
        return len(self.steps)

    def take(self, which: NDArray[Any] | slice) -> Points:
        """Those at the given places, or where the given mask is true. A slice copies nothing."""
        return Points(self.steps[which], self.times[which], self.values[which])

    @staticmethod
    def joined(parts: Sequence[Points]) -> Points:
        """In order of steps; of several points of one step the one of the last part."""
        whole = (
            parts[0]
            if len(parts) == 1
            else Points(
                np.concatenate([part.steps for part in parts]),
                np.concatenate([part.times for part in parts]),
                np.concatenate([part.values for part in parts]),
            )
        )
        if np.all(whole.steps[1:] > whole.steps[:-1]):
            return whole
        # np.unique finds the first of equals, so it looks at everything backwards.
        _, from_behind = np.unique(whole.steps[::-1], return_index=True)
        return whole.take(len(whole) - 1 - from_behind)


class Chunk(NamedTuple):
    """The points of a stored chunk as bytes, and whose they are."""

    metric: str
    attempt: int
    steps: bytes
    times: bytes
    values: bytes


def of_events(events: Iterable[tuple[int, float, dict[str, float | None]]]) -> dict[str, Points]:
    """From (step, time, metrics) of each event to the points of each metric."""
    columns: dict[str, tuple[list[int], list[float], list[float]]] = {}
    for step, time, metrics in events:
        for name, value in metrics.items():
            steps, times, values = columns.setdefault(name, ([], [], []))
            steps.append(step)
            times.append(time)
            values.append(np.nan if value is None else value)
    return {
        name: Points(np.array(steps, np.int64), np.array(times, np.float64), np.array(values, np.float64))
        for name, (steps, times, values) in columns.items()
    }


def of_chunk(chunk: Chunk) -> Points:
    steps, times, values = (
        np.frombuffer(data, kind) for data, kind in ((chunk.steps, "<i8"), (chunk.times, "<f8"), (chunk.values, "<f8"))
    )
    return Points(
        steps.astype(np.int64, copy=False), times.astype(np.float64, copy=False), values.astype(np.float64, copy=False)
    )


def chunk_of(job_id: str, attempt: int, metric: str, points: Points, last_event_id: int) -> MetricChunkRow:
    finite = points.values[np.isfinite(points.values)]
    return MetricChunkRow(
        job_id=job_id,
        attempt=attempt,
        metric=metric,
        first_step=int(points.steps.min()),
        last_step=int(points.steps.max()),
        last_event_id=last_event_id,
        num_points=len(points),
        minimum=float(finite.min()) if len(finite) else None,
        maximum=float(finite.max()) if len(finite) else None,
        steps=points.steps.astype("<i8").tobytes(),
        times=points.times.astype("<f8").tobytes(),
        values=points.values.astype("<f8").tobytes(),
    )
