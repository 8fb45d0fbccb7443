"""How jobs come in and are looked at. What may be done with one is in actions.py."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy.orm import Session

from backend.db.database import Database
from backend.db.known_jobs import no_such_job
from backend.db.pages import id_cursor, page_of
from backend.db.tables import JobRow
from backend.feed.queries import newest_id
from backend.jobs import queries, spec_index
from backend.jobs.intake import Intake, check_spec, read_spec, resolve_spec
from backend.jobs.queries import JobFilter
from backend.jobs.search.terms import read_terms
from backend.jobs.transitions import created
from backend.jobs.usage import Usage, usage_of
from backend.jobs.views import checkpoint_view, job_detail, job_view
from tunedeck.errors import BadInput
from tunedeck.ids import new_id
from tunedeck.lifecycle import Desired, JobState
from tunedeck.presets import lay_over
from tunedeck.spec import JobSpec
from tunedeck.views import CheckedSpec, CheckpointView, JobDetail, JobList, Page


@dataclass(frozen=True)
class Order:
    """How a job is taken: `draft` keeps it out of the queue; a `request_key` ("": none) makes one job however often the
    owner sends it."""

    owner: str
    draft: bool = False
    request_key: str = ""


def create(database: Database, order: Order, raw: dict[str, Any], now: float, why: str = "submitted") -> JobDetail:
    """Store a job, queued or as a draft. Raises BadInput with every problem of the spec; then nothing is stored."""
    spec = read_spec(raw)
    with database.reading() as session:
        if made := queries.by_request_key(session, order.owner, order.request_key):
            return detail(session, made)
        intake = resolve_spec(session, order.owner, spec, now)
    with database.writing() as session:
        # Others may have written since.
        if made := queries.by_request_key(session, order.owner, order.request_key):
            return detail(session, made)
        if not intake.has_its_data(session):
            intake = resolve_spec(session, order.owner, spec, now)
        job = _new_row(spec, intake, order, now)
        first = created(session, job, order.owner, why, now)
        spec_index.store(session, job.id, spec_index.sections_of_spec(spec, job.resolved))
        return job_detail(job, Usage(), [first])


def clone(database: Database, order: Order, job_id: str, changes: dict[str, Any], now: float) -> JobDetail:
    """A new job of the same spec, with `changes` (a partial spec) laid over it. Raises NotFound and BadInput."""
    asked = get(database, job_id).spec.model_dump(mode="json", exclude_unset=True)
    return create(database, order, lay_over(asked, changes), now, f"cloned from {job_id}")


def check(database: Database, owner: str, raw: dict[str, Any], now: float) -> CheckedSpec:
    """Whether `create` would take it; stores nothing."""
    try:
        spec = read_spec(raw)
        with database.reading() as session:
            return check_spec(session, owner, spec, now)
    except BadInput as error:
        return CheckedSpec(resolved=None, memory=None, problems=tuple(asdict(problem) for problem in error.problems))


def list_jobs(database: Database, wanted: JobFilter, cursor: str, limit: int) -> JobList:
    """Newest first. The cursor is the last id of the page before, so jobs made meanwhile shift nothing. Raises BadInput
    for a search that makes no sense."""
    terms = read_terms(wanted.text)
    before = id_cursor(cursor)
    with database.reading() as session:
        as_of = newest_id(session)
        found = queries.newest_first(session, wanted, terms, before, limit + 1)
        used = usage_of(session, found)
    page = page_of(found, limit, lambda job: job.id, lambda job: job_view(job, used[job.id]))
    return JobList(items=page.items, next_cursor=page.next_cursor, as_of=str(as_of))


def get(database: Database, job_id: str) -> JobDetail:
    with database.reading() as session:
        return detail(session, job_id)


def checkpoints(database: Database, job_id: str) -> Page[CheckpointView]:
    with database.reading() as session:
        if queries.with_host(session, job_id) is None:
            raise no_such_job(job_id)
        return Page[CheckpointView](items=tuple(map(checkpoint_view, queries.checkpoints(session, job_id))))


def detail(session: Session, job_id: str) -> JobDetail:
    """Raises NotFound."""
    found = queries.with_host(session, job_id)
    if found is None:
        raise no_such_job(job_id)
    job, _ = found
    return job_detail(job, usage_of(session, [job])[job.id], queries.transitions(session, job_id))


def _new_row(spec: JobSpec, intake: Intake, order: Order, now: float) -> JobRow:
    return JobRow(
        id=new_id(),
        name=spec.name,
        state=(JobState.DRAFT if order.draft else JobState.QUEUED).value,
        desired=Desired.RUN.value,
        owner=order.owner,
        priority=spec.queue.priority,
        preemptible=spec.queue.preemptible,
        max_attempts=spec.queue.max_attempts or 0,
        request_key=order.request_key or None,
        model=spec.model,
        dataset=spec.dataset,
        spec=spec.model_dump(mode="json", exclude_unset=True),
        attempt=0,
        created_at=now,
        phase="",
        facts={},
        step=0,
        latest={},
        **intake.columns(),
    )
