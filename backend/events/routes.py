"""/api/v1/jobs/{id}/events"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from backend.events import service
from backend.http.error_body import documented
from backend.http.services import ServicesDep
from tunedeck.errors import NotFound
from tunedeck.views.events import EventView
from tunedeck.views.page import Page

router = APIRouter(prefix="/jobs", tags=["jobs"])


@router.get("/{job_id}/events", responses=documented(NotFound))
def list_events(
    job_id: str,
    services: ServicesDep,
    kind: Annotated[list[str], Query(default_factory=list, max_length=20, description="may repeat; none: all")],
    cursor: Annotated[str, Query(max_length=20, description="next_cursor of the page before")] = "",
    limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
) -> Page[EventView]:
    """The history of a job, oldest first."""
    return service.events(services.database, job_id, cursor, frozenset(kind), limit)
