"""How jobs come in and are looked at. What may be done with one is in actions.py."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from backend.db.database import Database
from backend.db.known_jobs import require_jobs
from backend.db.pages import id_cursor, page_of
from backend.feed.queries import newest_id
from backend.jobs import queries
from backend.jobs.detail import detail
from backend.jobs.facts import Facts
from backend.jobs.intake import check_spec, read_spec
from backend.jobs.queries import JobFilter
from backend.jobs.search.terms import read_terms
from backend.jobs.taking import HandedIn, Order, take
from backend.jobs.usage import usage_of
from backend.jobs.views import checkpoint_view, job_view
from tunedeck.errors import BadInput
from tunedeck.presets import lay_over
from tunedeck.views.jobs import CheckedSpec, JobDetail, JobList
from tunedeck.views.page import Page
from tunedeck.views.run_files import CheckpointView


def create(database: Database, order: Order, raw: dict[str, Any], now: float, why: str = "submitted") -> JobDetail:
    """Store a job, queued or as a draft. Raises BadInput with every problem of the spec; then nothing is stored."""
    [taken] = take(database, [HandedIn(order, read_spec(raw), now, why)])
    if isinstance(taken, Exception):
        raise taken
    return JobDetail.model_validate_json(taken)


def clone(database: Database, order: Order, job_id: str, changes: dict[str, Any], now: float) -> JobDetail:
    """A new job of the same spec, with `changes` (a partial spec) laid over it. Raises NotFound and BadInput."""
    asked = get(database, job_id).spec.model_dump(mode="json", exclude_unset=True)
    return create(database, order, lay_over(asked, changes), now, f"cloned from {job_id}")


def check(database: Database, owner: str, raw: dict[str, Any], now: float) -> CheckedSpec:
    """Whether `create` would take it; stores nothing."""
    try:
        spec = read_spec(raw)
        with database.reading() as session:
            return check_spec(Facts(session, now), owner, spec)
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
        require_jobs(session, [job_id])
        return Page[CheckpointView](items=tuple(map(checkpoint_view, queries.checkpoints(session, job_id))))
