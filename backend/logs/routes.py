"""/api/v1/jobs/{id}/logs, /logs/search and /logs.txt"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse

from backend.http.error_body import documented
from backend.http.services import ServicesDep
from backend.logs import service
from backend.logs.service import LineFilter
from tunedeck.errors import NotFound
from tunedeck.log_lines import LogLevel
from tunedeck.views.logs import LogMatches, LogsView

router = APIRouter(prefix="/jobs", tags=["jobs"])
MOST_LINES = 5_000


Attempt = Annotated[int, Query(ge=0, le=2**31 - 1, description="0: the newest")]


@router.get("/{job_id}/logs", responses=documented(NotFound))
def get_logs(
    job_id: str,
    services: ServicesDep,
    first_line: Annotated[int, Query(ge=-(2**31), le=2**31 - 1, description="from 1; negative: from the end")] = 1,
    limit: Annotated[int, Query(ge=1, le=MOST_LINES)] = 1_000,
    attempt: Attempt = 0,
) -> LogsView:
    """Lines of engine.log."""
    return service.logs(services.database, job_id, attempt, first_line, limit)


@router.get("/{job_id}/logs/search", responses=documented(NotFound))
def search_logs(
    job_id: str,
    services: ServicesDep,
    level: Annotated[list[LogLevel], Query(default_factory=list, description="may repeat; none: all")],
    q: Annotated[str, Query(max_length=200, description="part of a line, in any case")] = "",
    rank: Annotated[int | None, Query(ge=0, le=2**20, description="its lines, and those that name none")] = None,
    from_line: Annotated[int, Query(ge=0, le=2**31 - 1, description="0: the beginning, or the end")] = 0,
    backwards: Annotated[bool, Query(description="from there towards the beginning")] = False,
    limit: Annotated[int, Query(ge=1, le=MOST_LINES)] = 1_000,
    attempt: Attempt = 0,
) -> LogMatches:
    """Lines of engine.log that match everything that was asked for."""
    wanted = LineFilter(q, rank, frozenset(level))
    return service.search(services.database, job_id, attempt, wanted, from_line, limit, backwards=backwards)


@router.get("/{job_id}/logs.txt", responses=documented(NotFound), response_class=StreamingResponse)
def get_whole_log(job_id: str, services: ServicesDep, attempt: Attempt = 0) -> StreamingResponse:
    """All of engine.log that is stored, as a file."""
    lines = service.whole(services.database, job_id, attempt)
    headers = {"Content-Disposition": f'attachment; filename="{job_id}.log"'}
    return StreamingResponse(lines, media_type="text/plain; charset=utf-8", headers=headers)
