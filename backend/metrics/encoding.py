"""Series as JSON, straight from arrays: a pydantic model of some ten thousand numbers takes longer than reading them.

The text is that of a MetricsView; a test compares both.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import orjson

from backend.metrics.service import Thinned

# Finer than a millisecond no step is told apart from the next, and digits that say nothing cannot be compressed.
_TIME_DIGITS = 3


def encoded(cursor: int, series: Mapping[str, Thinned]) -> bytes:
    """orjson writes null for what is not finite."""
    return orjson.dumps(
        {"series": {name: _columns(found) for name, found in series.items()}, "cursor": str(cursor)},
        option=orjson.OPT_SERIALIZE_NUMPY,
    )


def _columns(found: Thinned) -> dict[str, object]:
    points = found.points
    return {
        "steps": np.ascontiguousarray(points.steps),
        "times": np.round(points.times, _TIME_DIGITS),
        "values": np.ascontiguousarray(points.values),
        "num_points": found.num_points,
    }
