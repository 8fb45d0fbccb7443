"""What users may do with jobs. Placing, running and ending them is the scheduler's and ingest's work."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from sqlalchemy.orm import Session

from backend.db.database import Database
from backend.db.known_jobs import no_such_job
from backend.db.pages import id_cursor, page_of
from backend.db.tables import JobRow
from backend.jobs import queries
from backend.jobs.intake import Intake, check_spec, read_spec, resolve_spec
from backend.jobs.queries import JobFilter
from backend.jobs.transitions import announce, created, transition
from backend.jobs.views import checkpoint_view, job_detail, job_view
from tunedeck.errors import BadInput
from tunedeck.ids import new_id
from tunedeck.lifecycle import FINAL, JobState
from tunedeck.spec import JobSpec
from tunedeck.views import CheckedSpec, CheckpointView, JobDetail, JobView, Page

USER = "user"


def create(database: Database, owner: str, raw: dict[str, Any], now: float) -> JobDetail:
    """Store a job, queued. Raises BadInput with every problem of the spec; then nothing is stored."""
    spec = read_spec(raw)
    with database.writing() as session:
        job = _new_row(spec, resolve_spec(session, owner, spec, now), now)
        created(session, job, USER, now)
        return _detail(session, job.id)


def check(database: Database, owner: str, raw: dict[str, Any], now: float) -> CheckedSpec:
    """Whether `create` would take it; stores nothing."""
    try:
        spec = read_spec(raw)
        with database.reading() as session:
            return check_spec(session, owner, spec, now)
    except BadInput as error:
        return CheckedSpec(resolved=None, memory=None, problems=tuple(asdict(problem) for problem in error.problems))


def list_jobs(database: Database, wanted: JobFilter, cursor: str, limit: int) -> Page[JobView]:
    """Newest first. The cursor is the last id of the page before, so jobs made meanwhile shift nothing."""
    with database.reading() as session:
        found = queries.newest_first(session, wanted, id_cursor(cursor), limit + 1)
    return page_of(found, limit, lambda row: row[0].id, lambda row: job_view(*row))


def get(database: Database, job_id: str) -> JobDetail:
    with database.reading() as session:
        return _detail(session, job_id)


def cancel(database: Database, job_id: str, now: float) -> JobDetail:
    """Ask for the end of a job. Idempotent: a job that ends or has ended stays as it is."""
    with database.writing() as session:
        job = queries.locked(session, job_id)
        if job is None:
            raise no_such_job(job_id)
        _cancel(session, job, now)
        return _detail(session, job_id)


def _cancel(session: Session, job: JobRow, now: float) -> None:
    state = JobState(job.state)
    if state in FINAL or job.desired == "cancel":
        return
    job.desired = "cancel"
    if state is JobState.QUEUED:
        transition(session, job, JobState.CANCELLED, USER, "cancelled before it was placed", now)
    elif state is not JobState.STOPPING:
        transition(session, job, JobState.STOPPING, USER, "cancel was asked for", now)
    else:
        announce(session, job, now)


def checkpoints(database: Database, job_id: str) -> Page[CheckpointView]:
    with database.reading() as session:
        if queries.with_host(session, job_id) is None:
            raise no_such_job(job_id)
        return Page[CheckpointView](items=tuple(map(checkpoint_view, queries.checkpoints(session, job_id))))


def _new_row(spec: JobSpec, intake: Intake, now: float) -> JobRow:
    return JobRow(
        id=new_id(),
        name=spec.name,
        state=JobState.QUEUED.value,
        desired="run",
        model=spec.model,
        dataset=spec.dataset,
        dataset_id=intake.dataset_id,
        validation_dataset_id=intake.validation_dataset_id,
        spec=spec.model_dump(mode="json", exclude_unset=True),
        resolved=intake.resolved.model_dump(mode="json"),
        attempt=0,
        created_at=now,
        phase="",
        facts={},
        step=0,
        train_iters=intake.resolved.batching.train_iters,
        latest={},
    )


def _detail(session: Session, job_id: str) -> JobDetail:
    found = queries.with_host(session, job_id)
    if found is None:
        raise no_such_job(job_id)
    job, host = found
    return job_detail(job, host, queries.transitions(session, job_id))
