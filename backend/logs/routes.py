"""/api/v1/jobs/{id}/logs"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from backend.http.error_body import documented
from backend.http.services import ServicesDep
from backend.logs import service
from tunedeck.errors import NotFound
from tunedeck.views import LogsView

router = APIRouter(prefix="/jobs", tags=["jobs"])
MOST_LINES = 5_000


@router.get("/{job_id}/logs", responses=documented(NotFound))
def get_logs(
    job_id: str,
    services: ServicesDep,
    first_line: Annotated[int, Query(ge=-(2**31), le=2**31 - 1, description="from 1; negative: from the end")] = 1,
    limit: Annotated[int, Query(ge=1, le=MOST_LINES)] = 1_000,
) -> LogsView:
    """Lines of engine.log of the newest attempt."""
    return service.logs(services.database, job_id, first_line, limit)
