"""SQL of jobs, their history and their checkpoints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Select, and_, or_, select
from sqlalchemy.orm import Session

from backend.db.tables import AttemptRow, CheckpointRow, JobRow, TransitionRow
from tunedeck.lifecycle import JobState


@dataclass(frozen=True)
class JobFilter:
    """What a list is narrowed to; an empty value does not narrow."""

    states: tuple[JobState, ...] = ()
    model: str = ""
    dataset: str = ""
    text: str = ""


def with_host(session: Session, job_id: str) -> tuple[JobRow, str] | None:
    """The job and the host of its newest attempt ("" without one)."""
    found = session.execute(_jobs_with_host().where(JobRow.id == job_id)).one_or_none()
    return None if found is None else (found[0], found[1] or "")


def locked(session: Session, job_id: str) -> JobRow | None:
    """The job, which nobody else can change until the transaction ends."""
    return session.scalar(select(JobRow).where(JobRow.id == job_id).with_for_update())


def by_request_key(session: Session, owner: str, key: str) -> str | None:
    """The id of the job that a request of this key has made."""
    return session.scalar(select(JobRow.id).where(JobRow.owner == owner, JobRow.request_key == key)) if key else None


def newest_first(session: Session, wanted: JobFilter, before: str, limit: int) -> list[tuple[JobRow, str]]:
    """At most `limit` jobs older than the id `before` ("": from the newest on), each with its host."""
    query = _narrowed(_jobs_with_host(), wanted)
    if before:
        query = query.where(JobRow.id < before)
    return [(job, host or "") for job, host in session.execute(query.order_by(JobRow.id.desc()).limit(limit))]


def transitions(session: Session, job_id: str) -> Sequence[TransitionRow]:
    query = select(TransitionRow).where(TransitionRow.job_id == job_id).order_by(TransitionRow.id)
    return session.scalars(query).all()


def checkpoints(session: Session, job_id: str) -> Sequence[CheckpointRow]:
    """Newest first."""
    order = (CheckpointRow.attempt.desc(), CheckpointRow.step.desc(), CheckpointRow.created_at.desc())
    return session.scalars(select(CheckpointRow).where(CheckpointRow.job_id == job_id).order_by(*order)).all()


def _jobs_with_host() -> Select[JobRow, str]:
    newest = and_(AttemptRow.job_id == JobRow.id, AttemptRow.number == JobRow.attempt)
    return select(JobRow, AttemptRow.host).outerjoin(AttemptRow, newest)


def _narrowed(query: Select[JobRow, str], wanted: JobFilter) -> Select[JobRow, str]:
    if wanted.states:
        query = query.where(JobRow.state.in_([state.value for state in wanted.states]))
    if wanted.model:
        query = query.where(JobRow.model == wanted.model)
    if wanted.dataset:
        query = query.where(JobRow.dataset == wanted.dataset)
    if wanted.text:
        columns = (JobRow.name, JobRow.id, JobRow.model, JobRow.dataset)
        query = query.where(or_(*(column.icontains(wanted.text, autoescape=True) for column in columns)))
    return query
