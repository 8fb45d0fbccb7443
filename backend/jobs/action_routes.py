"""/api/v1/jobs/{id}/ACTION and /api/v1/jobs/actions: every action may be sent twice with the effect of once."""

from __future__ import annotations

import time
from typing import Annotated

from fastapi import APIRouter, Body

from backend.http.error_body import documented
from backend.http.services import OwnerDep, Services, ServicesDep
from backend.jobs.actions import act, act_on_all
from tunedeck.actions import (
    Action,
    Archive,
    BulkAction,
    Cancel,
    Hold,
    Pause,
    Release,
    Reprioritise,
    Resume,
    Retry,
    Tag,
    Unarchive,
)
from tunedeck.errors import Conflict, NotFound
from tunedeck.views.jobs import BulkView, JobDetail

router = APIRouter(prefix="/jobs", tags=["jobs"], responses=documented(NotFound, Conflict))
CancelBody = Annotated[Cancel, Body(default_factory=Cancel)]
RetryBody = Annotated[Retry, Body(default_factory=Retry)]


@router.post("/actions")
def act_on_jobs(asked: BulkAction, services: ServicesDep, owner: OwnerDep) -> BulkView:
    """One action for many jobs, with a result for each."""
    view = act_on_all(services.database, owner, asked, time.time())
    services.background.wake_for_jobs()
    return view


@router.post("/{job_id}/cancel")
def cancel_job(job_id: str, services: ServicesDep, owner: OwnerDep, asked: CancelBody) -> JobDetail:
    """End a job, by default with a last checkpoint."""
    return _act(services, owner, job_id, asked)


@router.post("/{job_id}/pause")
def pause_job(job_id: str, services: ServicesDep, owner: OwnerDep) -> JobDetail:
    """Write a checkpoint and give the devices back."""
    return _act(services, owner, job_id, Pause())


@router.post("/{job_id}/resume")
def resume_job(job_id: str, services: ServicesDep, owner: OwnerDep) -> JobDetail:
    """Let a paused job go on from its checkpoint, as a new attempt."""
    return _act(services, owner, job_id, Resume())


@router.post("/{job_id}/retry")
def retry_job(job_id: str, services: ServicesDep, owner: OwnerDep, asked: RetryBody) -> JobDetail:
    """Try a job again that failed, was cancelled or is paused, from its last checkpoint or a chosen one."""
    return _act(services, owner, job_id, asked)


@router.post("/{job_id}/hold")
def hold_job(job_id: str, services: ServicesDep, owner: OwnerDep) -> JobDetail:
    """Keep a queued job out of the queue."""
    return _act(services, owner, job_id, Hold())


@router.post("/{job_id}/release")
def release_job(job_id: str, services: ServicesDep, owner: OwnerDep) -> JobDetail:
    """Let a held job or a draft into the queue."""
    return _act(services, owner, job_id, Release())


@router.post("/{job_id}/reprioritise")
def reprioritise_job(job_id: str, services: ServicesDep, owner: OwnerDep, asked: Reprioritise) -> JobDetail:
    """Change the priority of a job."""
    return _act(services, owner, job_id, asked)


@router.post("/{job_id}/archive")
def archive_job(job_id: str, services: ServicesDep, owner: OwnerDep) -> JobDetail:
    """Leave an ended job or a draft out of lists."""
    return _act(services, owner, job_id, Archive())


@router.post("/{job_id}/unarchive")
def unarchive_job(job_id: str, services: ServicesDep, owner: OwnerDep) -> JobDetail:
    """Take a job out of the archive."""
    return _act(services, owner, job_id, Unarchive())


@router.post("/{job_id}/tag")
def tag_job(job_id: str, services: ServicesDep, owner: OwnerDep, asked: Tag) -> JobDetail:
    """Add tags to a job and remove others."""
    return _act(services, owner, job_id, asked)


def _act(services: Services, who: str, job_id: str, action: Action) -> JobDetail:
    detail = act(services.database, who, job_id, action, time.time())
    services.background.wake_for_jobs()
    return detail
