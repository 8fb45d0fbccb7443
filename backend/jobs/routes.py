"""/api/v1/jobs"""

from __future__ import annotations

import time
from typing import Annotated

from fastapi import APIRouter, Body, Query

from backend.http.error_body import documented
from backend.http.raw_json import DocumentedAs, RawObject
from backend.http.services import OwnerDep, ServicesDep
from backend.jobs import service
from backend.jobs.queries import JobFilter
from tunedeck.errors import NotFound
from tunedeck.lifecycle import JobState
from tunedeck.spec import JobSpec
from tunedeck.views import CheckedSpec, CheckpointView, JobDetail, JobView, Page

router = APIRouter(prefix="/jobs", tags=["jobs"])
RawSpec = Annotated[RawObject, Body(), DocumentedAs(JobSpec)]
MAX_PAGE = 500


@router.post("", status_code=201)
def create_job(raw: RawSpec, services: ServicesDep, owner: OwnerDep) -> JobDetail:
    """Queue a job. Only name, model and dataset are required."""
    detail = service.create(services.database, owner, raw, time.time())
    services.background.wake_scheduler()
    services.background.wake_feed()
    return detail


@router.post("/check")
def check_job(raw: RawSpec, services: ServicesDep, owner: OwnerDep) -> CheckedSpec:
    """Say what a job would run as, or every problem of its spec; nothing is stored."""
    return service.check(services.database, owner, raw, time.time())


@router.get("")
def list_jobs(
    services: ServicesDep,
    state: Annotated[list[JobState], Query(default_factory=list, description="may repeat")],
    model: Annotated[str, Query(max_length=80)] = "",
    dataset: Annotated[str, Query(max_length=80)] = "",
    q: Annotated[str, Query(max_length=200, description="part of a name, id, model or data set")] = "",
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 50,
    cursor: Annotated[str, Query(max_length=32, description="next_cursor of the page before")] = "",
) -> Page[JobView]:
    """Jobs, newest first."""
    return service.list_jobs(services.database, JobFilter(tuple(state), model, dataset, q), cursor, limit)


@router.get("/{job_id}", responses=documented(NotFound))
def get_job(job_id: str, services: ServicesDep) -> JobDetail:
    return service.get(services.database, job_id)


@router.post("/{job_id}/cancel", responses=documented(NotFound))
def cancel_job(job_id: str, services: ServicesDep) -> JobDetail:
    """Ask for the end of a job; a checkpoint is written first. Idempotent."""
    detail = service.cancel(services.database, job_id, time.time())
    services.background.wake_scheduler()
    services.background.wake_feed()
    return detail


@router.get("/{job_id}/checkpoints", responses=documented(NotFound))
def list_checkpoints(job_id: str, services: ServicesDep) -> Page[CheckpointView]:
    return service.checkpoints(services.database, job_id)
