"""Fewer points that look the same: MinMaxLTTB, and the points that a reader would miss most.

MinMaxLTTB (van der Donckt et al., 2023, arXiv:2305.00332) keeps the shape, but may drop the very largest value of all
and knows nothing of NaN. So the ends, the extremes and the beginnings of stretches without a finite value are added.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from tsdownsample import MinMaxLTTBDownsampler

from backend.metrics.points import Points

# Ends and extremes; the sampler itself wants at least three.
FEWEST_POINTS = 8


def downsample(points: Points, max_points: int) -> Points:
    """At most `max_points` of `points` (at least FEWEST_POINTS may be kept), in order of steps."""
    if len(points) <= max_points:
        return points
    finite = np.flatnonzero(np.isfinite(points.values))
    if len(finite) == 0:
        return points.take(np.array([0, len(points) - 1]))
    # Almost always nothing is missing, and then nothing is copied.
    known = points if len(finite) == len(points) else points.take(finite)
    kept = np.concatenate(
        [
            [0, len(points) - 1, finite[known.values.argmin()], finite[known.values.argmax()]],
            beginnings_of_gaps(points, most=max_points // 4),
        ]
    )
    room = max_points - len(kept)
    shape = finite if len(finite) <= room else finite[_shape_of(known, room)]
    return points.take(np.union1d(kept, shape).astype(np.int64))


def _shape_of(points: Points, num_points: int) -> NDArray[np.uint64]:
    steps, values = np.ascontiguousarray(points.steps), np.ascontiguousarray(points.values)
    chosen: NDArray[np.uint64] = MinMaxLTTBDownsampler().downsample(steps, values, n_out=num_points)
    return chosen


def beginnings_of_gaps(points: Points, most: int) -> NDArray[np.int64]:
    """Places of the first points of at most `most` stretches without a finite value."""
    is_missing = ~np.isfinite(points.values)
    begins = is_missing & ~np.concatenate([[False], is_missing[:-1]])
    return np.flatnonzero(begins)[:most]
