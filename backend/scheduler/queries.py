"""What the scheduler asks the database."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from backend.db.tables.hosts import SetAsideRow
from backend.db.tables.jobs import AttemptRow, JobRow
from tunedeck.lifecycle import JobState

_SET_ASIDE = (
    select(SetAsideRow.host, SetAsideRow.device_index)
    .where(SetAsideRow.released_at.is_(None))
    .order_by(SetAsideRow.device_index)
)


def devices_set_aside(session: Session) -> dict[str, tuple[int, ...]]:
    """Indices by host name; hosts whose devices are all well are missing."""
    found: dict[str, tuple[int, ...]] = {}
    for host, index in session.execute(_SET_ASIDE):
        found[host] = (*found.get(host, ()), index)
    return found


def leases(session: Session) -> dict[tuple[str, int], float]:
    """Until when that of each live attempt lasts, by job id and number; in unix seconds."""
    query = select(AttemptRow.job_id, AttemptRow.number, AttemptRow.lease_expires_at)
    live = query.where(AttemptRow.ended_at.is_(None)).order_by(AttemptRow.placed_at)
    return {(job_id, number): expires_at for job_id, number, expires_at in session.execute(live)}


def attempts(session: Session, keys: Iterable[tuple[str, int]]) -> list[tuple[JobRow, AttemptRow]]:
    """By job id and number, in that order."""
    found = [(session.get(JobRow, job_id), session.get(AttemptRow, (job_id, number))) for job_id, number in keys]
    return [(job, attempt) for job, attempt in found if job is not None and attempt is not None]


def not_taken_up(session: Session, sent_before: float) -> list[tuple[JobRow, AttemptRow]]:
    """Attempts whose worker has said nothing since the message was sent, which was before then (unix seconds)."""
    query = (
        select(JobRow, AttemptRow)
        .join(AttemptRow, AttemptRow.job_id == JobRow.id)
        .where(AttemptRow.ended_at.is_(None), JobRow.state == JobState.PLACING)
        .where(AttemptRow.message_sent_at <= sent_before)
        .order_by(AttemptRow.placed_at)
    )
    return [(job, attempt) for job, attempt in session.execute(query)]


def next_try_at(session: Session, now: float) -> float | None:
    """When the first of the jobs that wait for another try may have it; None: none waits. Unix seconds."""
    waiting = select(func.min(JobRow.not_before)).where(JobRow.state == JobState.QUEUED, JobRow.not_before > now)
    return session.scalar(waiting)
