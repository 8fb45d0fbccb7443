"""A tenth of each chunk's points, chosen so that no extreme is lost: what a long series is read from.

Reading 200,000 points to draw 2,000 of them takes most of its time in fetching what is then thrown away. Keeping
thinned copies of whole series was rejected: they grow with every point, while a chunk is never changed. MinMaxLTTB
first takes the smallest and the largest of each of some thousand stretches anyway (downsampling.py), and an outline
holds just these.
"""

from __future__ import annotations

import numpy as np
from tsdownsample import MinMaxDownsampler

from backend.metrics.downsampling import beginnings_of_gaps
from backend.metrics.points import CHUNK_POINTS, Points

OUTLINE_POINTS = 100
OUTLINE_SHARE = OUTLINE_POINTS / CHUNK_POINTS
# MinMaxLTTB chooses among four times as many points as it keeps.
_CHOICE = 4


def outline_of(points: Points) -> Points:
    """First, last, the extremes of OUTLINE_POINTS / 2 equal stretches, and where stretches without a value begin."""
    finite = np.flatnonzero(np.isfinite(points.values))
    extremes = finite
    if len(finite) > OUTLINE_POINTS:
        extremes = finite[MinMaxDownsampler().downsample(points.values[finite], n_out=OUTLINE_POINTS)]
    gaps = beginnings_of_gaps(points, most=OUTLINE_POINTS)
    return points.take(np.union1d(np.concatenate([[0, len(points) - 1], gaps]), extremes).astype(np.int64))


def suffice(num_points: int, max_points: int) -> bool:
    """Whether outlines of a series of `num_points` leave enough to choose `max_points` from."""
    return num_points * OUTLINE_SHARE >= _CHOICE * max_points


def packed(points: Points) -> bytes:
    """float64 [P, 3]: step, time and value of each point, so that outlines one after the other are one of their sum. A
    step is exact below 2^53."""
    return np.stack([points.steps.astype(np.float64), points.times, points.values], axis=1).astype("<f8").tobytes()


def unpacked(data: bytes) -> Points:
    """Of one outline, or of several one after the other."""
    steps, times, values = np.ascontiguousarray(np.frombuffer(data, "<f8").reshape(-1, 3).T)
    return Points(steps.astype(np.int64), times, values)
