"""What happened in a run, as the feed tells it."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from tunedeck.component import Component


class EventView(Component):
    id: str = Field(description="place in the feed, what the stream sends as event id")
    job_id: str
    attempt: int
    kind: str
    t: float
    payload: dict[str, Any]
