"""SQL of jobs, their history and their checkpoints."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import ColumnElement, select, tuple_
from sqlalchemy.orm import Session, defer

from backend.db.tables.jobs import JobRow, TransitionRow
from backend.db.tables.run_files import CheckpointRow
from backend.jobs.search.conditions import condition_of
from backend.jobs.search.terms import FieldTerm, Term
from tunedeck.lifecycle import JobState

Archived = Literal["no", "yes", "any"]


@dataclass(frozen=True)
class JobFilter:
    """What a list is narrowed to; an empty value does not narrow. `text` is a search in the language of
    search/terms.py; where it speaks of the archive itself, `archived` does not count."""

    states: tuple[JobState, ...] = ()
    model: str = ""
    dataset: str = ""
    text: str = ""
    archived: Archived = "no"
    ids: tuple[str, ...] = ()


def locked(session: Session, job_id: str) -> JobRow | None:
    """The job, which nobody else can change until the transaction ends."""
    return session.scalar(select(JobRow).where(JobRow.id == job_id).with_for_update())


def by_request_keys(session: Session, requests: Sequence[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """By owner and key: the id of the job that such a request has made."""
    if not requests:
        return {}
    key = tuple_(JobRow.owner, JobRow.request_key)
    found = session.execute(select(JobRow.owner, JobRow.request_key, JobRow.id).where(key.in_(requests)))
    return {(owner, request_key or ""): job_id for owner, request_key, job_id in found}


def newest_first(
    session: Session, wanted: JobFilter, terms: Sequence[Term], before: str, limit: int
) -> Sequence[JobRow]:
    """At most `limit` jobs older than the id `before` ("": from the newest on), each without its spec.

    The ids come first, from an index: in the table what is searched lies around specs of kilobytes a row.
    """
    query = select(JobRow.id).where(*_conditions(wanted, terms))
    if before:
        query = query.where(JobRow.id < before)
    ids = session.scalars(query.order_by(JobRow.id.desc()).limit(limit)).all()
    light = select(JobRow).options(defer(JobRow.spec), defer(JobRow.resolved), defer(JobRow.facts))
    return session.scalars(light.where(JobRow.id.in_(ids)).order_by(JobRow.id.desc())).all()


def transitions(session: Session, job_id: str) -> Sequence[TransitionRow]:
    query = select(TransitionRow).where(TransitionRow.job_id == job_id).order_by(TransitionRow.id)
    return session.scalars(query).all()


def checkpoints(session: Session, job_id: str) -> Sequence[CheckpointRow]:
    """Newest first."""
    order = (CheckpointRow.attempt.desc(), CheckpointRow.step.desc(), CheckpointRow.created_at.desc())
    return session.scalars(select(CheckpointRow).where(CheckpointRow.job_id == job_id).order_by(*order)).all()


def _conditions(wanted: JobFilter, terms: Sequence[Term]) -> Iterator[ColumnElement[bool]]:
    if wanted.states:
        yield JobRow.state.in_([state.value for state in wanted.states])
    if wanted.model:
        yield JobRow.model == wanted.model
    if wanted.dataset:
        yield JobRow.dataset == wanted.dataset
    if wanted.ids:
        yield JobRow.id.in_(wanted.ids)
    speaks_of_archive = any(isinstance(term, FieldTerm) and term.field.name == "archived" for term in terms)
    if wanted.archived != "any" and not speaks_of_archive:
        yield JobRow.archived_at.is_(None) if wanted.archived == "no" else JobRow.archived_at.is_not(None)
    yield from map(condition_of, terms)
