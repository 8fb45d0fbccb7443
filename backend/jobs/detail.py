"""One job in full, as a session sees it."""

from __future__ import annotations

from sqlalchemy.orm import Session

from backend.db.known_jobs import no_such_job
from backend.db.tables.jobs import JobRow
from backend.jobs import queries
from backend.jobs.usage import usage_of
from backend.jobs.views import job_detail, transition_view
from tunedeck.spec import JobSpec
from tunedeck.views.jobs import JobDetail


def detail(session: Session, job_id: str) -> JobDetail:
    """Raises NotFound."""
    job = session.get(JobRow, job_id)
    if job is None:
        raise no_such_job(job_id)
    history = map(transition_view, queries.transitions(session, job_id))
    return job_detail(job, usage_of(session, [job])[job.id], JobSpec.model_validate(job.spec), history)
