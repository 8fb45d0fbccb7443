"""The attempts that may still speak, as plain values: those columns of each and of its job that messages go by.

Mapped objects were rejected: a thousand runs that report once a second are a thousand jobs and attempts to load once a
second, which was a quarter of what ingest did. Who changes a state loads the few rows that it is about (`mapped`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, fields
from typing import Any, cast

from sqlalchemy import Select, Table, select
from sqlalchemy.orm import Session, defer

from backend.db.tables.jobs import AttemptRow, JobRow

JOBS = cast(Table, JobRow.__table__)
ATTEMPTS = cast(Table, AttemptRow.__table__)
AttemptKey = tuple[str, int]


@dataclass(slots=True)
class LiveJob:
    """Columns of a JobRow, under its names."""

    id: str
    name: str
    tags: str
    state: str
    phase: str
    attempt: int
    step: int
    latest: dict[str, Any]
    step_time_ema_s: float | None
    num_tokens: int | None
    num_trained_tokens: int | None
    first_validation_loss: float | None
    best_validation_loss: float | None
    heard_at: float
    watch: dict[str, Any]
    conditions: list[dict[str, Any]]
    loss_curve: dict[str, Any]
    rule_alarms: dict[str, Any]


@dataclass(slots=True)
class LiveAttempt:
    """Columns of an AttemptRow, under its names, and its job."""

    job: LiveJob
    job_id: str
    number: int
    host: str
    lease_expires_at: float
    ingested_seq: int
    ingested_line: int
    memory_bytes: int


_LIVE_JOBS = select(*(JOBS.c[field.name] for field in fields(LiveJob)))
_LIVE_ATTEMPTS = select(*(ATTEMPTS.c[field.name] for field in fields(LiveAttempt)[1:])).where(
    ATTEMPTS.c.ended_at.is_(None)
)


def live_attempts(session: Session, job_ids: Collection[str]) -> dict[AttemptKey, LiveAttempt]:
    """Those of the jobs that may still speak: placed, not ended, and the newest of their job."""
    if not job_ids:
        return {}
    # Two queries: a join of as many ids is planned wrongly while the tables have grown faster than their statistics.
    attempts = session.execute(_LIVE_ATTEMPTS.where(ATTEMPTS.c.job_id.in_(job_ids))).all()
    jobs = session.execute(_LIVE_JOBS.where(JOBS.c.id.in_({row.job_id for row in attempts})))
    by_id = {row.id: LiveJob(*row) for row in jobs}
    live = (LiveAttempt(by_id[row.job_id], *row) for row in attempts)
    return {(each.job_id, each.number): each for each in live if each.job.attempt == each.number}


def mapped(session: Session, live: Iterable[LiveAttempt]) -> dict[AttemptKey, tuple[JobRow, AttemptRow]]:
    """Their rows as the database has them now, whose changes the session writes."""
    wanted = list(live)
    if not wanted:
        return {}
    job_ids = {each.job_id for each in wanted}
    # What is most of a row, and seldom looked into.
    light = select(JobRow).options(defer(JobRow.spec), defer(JobRow.resolved), defer(JobRow.facts))
    jobs = {job.id: job for job in _fresh(session, light.where(JobRow.id.in_(job_ids)))}
    attempts = select(AttemptRow).where(AttemptRow.job_id.in_(job_ids), AttemptRow.ended_at.is_(None))
    by_key = {(row.job_id, row.number): row for row in _fresh(session, attempts)}
    return {key: (jobs[key[0]], by_key[key]) for key in ((each.job_id, each.number) for each in wanted)}


def _fresh(session: Session, query: Select[Any]) -> list[Any]:
    return list(session.scalars(query.execution_options(populate_existing=True)))
