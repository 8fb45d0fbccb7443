"""/api/v1/stream"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Query, Response
from starlette.concurrency import run_in_threadpool

from backend.db.database import Database
from backend.db.known_jobs import require_jobs
from backend.events.service import event_id
from backend.feed.hub import Topics
from backend.feed.stream import FROM_NOW_ON, FeedResponse
from backend.http.error_body import documented
from backend.http.services import ServicesDep
from tunedeck.errors import NotFound

router = APIRouter(tags=["stream"])


@router.get(
    "/stream",
    status_code=200,  # FastAPI reads it from the response class otherwise, and this one has none
    response_class=FeedResponse,
    responses={**documented(NotFound), 200: {"content": {"text/event-stream": {}}}},
)
async def stream(
    services: ServicesDep,
    job: Annotated[list[str], Query(default_factory=list, max_length=500, description="may repeat; none: all jobs")],
    readings: Annotated[
        bool, Query(description="what hosts read off their devices, too; without a job: that alone")
    ] = False,
    last_event_id: Annotated[str, Query(max_length=20, description="as the header, for who cannot set one")] = "",
    last_event_id_header: Annotated[str, Header(alias="Last-Event-ID", max_length=20)] = "",
) -> Response:
    """Server-sent events: what came after Last-Event-ID, then what comes. Without one: what comes from now on."""
    given = last_event_id_header or last_event_id
    seen = event_id(given, "last_event_id") if given else FROM_NOW_ON
    await run_in_threadpool(_require, services.database, job)
    return FeedResponse(services.database, services.background.hub, Topics(frozenset(job), readings), seen)


def _require(database: Database, job_ids: list[str]) -> None:
    """A stream of a job that does not exist would stay silent for ever."""
    if not job_ids:
        return
    with database.reading() as session:
        require_jobs(session, job_ids)
