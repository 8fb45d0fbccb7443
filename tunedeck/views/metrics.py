"""The curves of a run."""

from __future__ import annotations

from pydantic import Field

from tunedeck.component import Component


class Series(Component):
    """One metric: equally long lists. A value that was not finite is None.

    Downsampled lists keep the first, the last, the smallest and the largest value.
    """

    steps: tuple[int, ...]
    times: tuple[float, ...]
    values: tuple[float | None, ...]
    num_points: int = Field(description="points before downsampling")


class MetricsView(Component):
    series: dict[str, Series]
    cursor: str = Field(description="send as Last-Event-ID to the stream to go on from here without a gap")
