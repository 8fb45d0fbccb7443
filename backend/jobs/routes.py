"""/api/v1/jobs"""

from __future__ import annotations

import time
from typing import Annotated

from fastapi import APIRouter, Body, Header, Query, Request, Response
from pydantic import StringConstraints

from backend.http.error_body import documented
from backend.http.raw_json import DocumentedAs, RawObject
from backend.http.services import OwnerDep, ServicesDep, owner_of, services_of
from backend.jobs import service
from backend.jobs.intake import read_spec
from backend.jobs.queries import Archived, JobFilter
from backend.jobs.taking import HandedIn, Order
from tunedeck.errors import NotFound
from tunedeck.lifecycle import JobState
from tunedeck.spec import JobSpec
from tunedeck.views.jobs import CheckedSpec, JobDetail, JobList
from tunedeck.views.page import Page
from tunedeck.views.run_files import CheckpointView

router = APIRouter(prefix="/jobs", tags=["jobs"])
RawSpec = Annotated[RawObject, Body(), DocumentedAs(JobSpec)]
RawChanges = Annotated[RawObject, Body(default_factory=dict, description="a part of a JobSpec")]
MAX_PAGE = 500
MAX_SEARCH = 500
JobId = Annotated[str, StringConstraints(max_length=32)]


Draft = Annotated[bool, Query(description="store it without letting it into the queue")]
RequestKey = Annotated[
    str, Header(pattern=r"^[ -~]{0,80}$", description="sent again, the same key of the same token makes no second job")
]


@router.post("", status_code=201, response_model=JobDetail)
async def create_job(
    request: Request, raw: RawSpec, draft: Draft = False, idempotency_key: RequestKey = ""
) -> Response:
    """Queue a job, or store it as a draft. Only name, model and dataset are required."""
    # Not asked for as dependencies: FastAPI takes as long over each as resolving the job does.
    services, owner = await services_of(request), await owner_of(request)
    order = Order(owner, draft, idempotency_key)
    detail_json = await services.desk.hand_in(HandedIn(order, read_spec(raw), time.time()))
    return Response(detail_json, 201, media_type="application/json")


@router.post("/{job_id}/clone", status_code=201, responses=documented(NotFound))
def clone_job(
    job_id: str,
    services: ServicesDep,
    owner: OwnerDep,
    changes: RawChanges,
    draft: Draft = False,
    idempotency_key: RequestKey = "",
) -> JobDetail:
    """Queue a new job of the same spec, with the given fields laid over it."""
    order = Order(owner, draft, idempotency_key)
    detail = service.clone(services.database, order, job_id, changes, time.time())
    services.background.wake_for_new_jobs()
    return detail


@router.post("/check")
def check_job(raw: RawSpec, services: ServicesDep, owner: OwnerDep) -> CheckedSpec:
    """Say what a job would run as, or every problem of its spec; nothing is stored."""
    return service.check(services.database, owner, raw, time.time())


@router.get("")
def list_jobs(
    services: ServicesDep,
    state: Annotated[list[JobState], Query(default_factory=list, description="may repeat")],
    ids: Annotated[
        list[JobId], Query(alias="id", default_factory=list, max_length=MAX_PAGE, description="only these; may repeat")
    ],
    model: Annotated[str, Query(max_length=80)] = "",
    dataset: Annotated[str, Query(max_length=80)] = "",
    q: Annotated[str, Query(max_length=MAX_SEARCH, description="a search; docs/search.md tells its language")] = "",
    archived: Annotated[Archived, Query(description="whether archived jobs are listed")] = "no",
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 50,
    cursor: Annotated[str, Query(max_length=32, description="next_cursor of the page before")] = "",
) -> JobList:
    """Jobs, newest first."""
    wanted = JobFilter(tuple(state), model, dataset, q, archived, tuple(ids))
    return service.list_jobs(services.database, wanted, cursor, limit)


@router.get("/{job_id}", responses=documented(NotFound))
def get_job(job_id: str, services: ServicesDep) -> JobDetail:
    return service.get(services.database, job_id)


@router.get("/{job_id}/checkpoints", responses=documented(NotFound))
def list_checkpoints(job_id: str, services: ServicesDep) -> Page[CheckpointView]:
    return service.checkpoints(services.database, job_id)
