"""/api/v1/jobs/{id}/metrics"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response
from fastapi.responses import StreamingResponse

from backend.http.error_body import documented
from backend.http.services import ServicesDep
from backend.metrics import service, table
from backend.metrics.encoding import encoded
from tunedeck.errors import NotFound
from tunedeck.views.metrics import MetricsView

router = APIRouter(prefix="/jobs", tags=["jobs"])
LAST_STEP = 2**31 - 1
Step = Annotated[int, Query(ge=0, le=LAST_STEP)]


@router.get("/{job_id}/metrics", response_model=MetricsView, responses=documented(NotFound))
def get_metrics(
    job_id: str,
    services: ServicesDep,
    name: Annotated[list[str], Query(default_factory=list, max_length=100, description="may repeat; none: all")],
    from_step: Step = 0,
    to_step: Step = LAST_STEP,
    max_points: Annotated[int, Query(ge=10, le=20_000, description="of each series")] = 2_000,
) -> Response:
    """Series over all attempts of a job, downsampled so that no spike is lost. `total_tokens` is told only by name."""
    cursor, series = service.thinned(services.database, job_id, frozenset(name), from_step, to_step, max_points)
    return Response(encoded(cursor, series), media_type="application/json")


@router.get("/{job_id}/metrics.csv", responses=documented(NotFound), response_class=StreamingResponse)
def get_metrics_table(
    job_id: str,
    services: ServicesDep,
    name: Annotated[list[str], Query(default_factory=list, max_length=100, description="may repeat; none: all")],
    from_step: Step = 0,
    to_step: Step = LAST_STEP,
) -> StreamingResponse:
    """Every point, nothing left out: a line a step, a column a metric, empty where a step has no finite value."""
    whole = service.points_of(services.database, job_id, frozenset(name), from_step, to_step)[1]
    headers = {"Content-Disposition": f'attachment; filename="{job_id}.csv"'}
    return StreamingResponse(table.lines(whole), media_type="text/csv", headers=headers)
