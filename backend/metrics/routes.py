"""/api/v1/jobs/{id}/metrics"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from backend.http.error_body import documented
from backend.http.services import ServicesDep
from backend.metrics import service
from tunedeck.errors import NotFound
from tunedeck.views import MetricsView

router = APIRouter(prefix="/jobs", tags=["jobs"])
LAST_STEP = 2**31 - 1
Step = Annotated[int, Query(ge=0, le=LAST_STEP)]


@router.get("/{job_id}/metrics", responses=documented(NotFound))
def get_metrics(
    job_id: str,
    services: ServicesDep,
    name: Annotated[list[str], Query(default_factory=list, max_length=100, description="may repeat; none: all")],
    from_step: Step = 0,
    to_step: Step = LAST_STEP,
    max_points: Annotated[int, Query(ge=10, le=20_000, description="of each series")] = 2_000,
) -> MetricsView:
    """Series over all attempts of a job, downsampled so that no spike is lost."""
    return service.metrics(services.database, job_id, frozenset(name), from_step, to_step, max_points)
