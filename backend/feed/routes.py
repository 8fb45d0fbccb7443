"""/api/v1/stream"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Query, Response

from backend.events.service import event_id
from backend.feed.stream import FROM_NOW_ON, FeedResponse
from backend.http.services import ServicesDep

router = APIRouter(tags=["stream"])


@router.get(
    "/stream",
    status_code=200,  # FastAPI reads it from the response class otherwise, and this one has none
    response_class=FeedResponse,
    responses={200: {"content": {"text/event-stream": {}}}},
)
async def stream(
    services: ServicesDep,
    job: Annotated[list[str], Query(default_factory=list, max_length=500, description="may repeat; none: all jobs")],
    last_event_id: Annotated[str, Query(max_length=20, description="as the header, for who cannot set one")] = "",
    last_event_id_header: Annotated[str, Header(alias="Last-Event-ID", max_length=20)] = "",
) -> Response:
    """Server-sent events: what came after Last-Event-ID, then what comes. Without one: what comes from now on."""
    given = last_event_id_header or last_event_id
    seen = event_id(given, "last_event_id") if given else FROM_NOW_ON
    return FeedResponse(services.database, services.background.hub, frozenset(job), seen)
