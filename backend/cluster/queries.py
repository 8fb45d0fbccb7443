"""SQL of hosts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Session, defer, load_only

from backend.db.tables.hosts import HostRow, SetAsideRow
from backend.db.tables.jobs import AttemptRow, JobRow
from backend.db.tables.leaders import LeaderRow
from backend.jobs.due import is_due
from backend.scheduler.leadership import ROLE
from tunedeck.lifecycle import JobState


def hosts(session: Session) -> Sequence[HostRow]:
    return session.scalars(select(HostRow).order_by(HostRow.name)).all()


def has_host(session: Session, name: str) -> bool:
    return session.scalar(select(HostRow.name).where(HostRow.name == name)) is not None


def num_hosts_seen_since(session: Session, since: float) -> int:
    return session.scalar(select(func.count()).select_from(HostRow).where(HostRow.last_seen_at >= since)) or 0


def leader(session: Session, now: float) -> str:
    """Who holds the lead, "" where it is free."""
    query = select(LeaderRow.holder).where(LeaderRow.role == ROLE, LeaderRow.expires_at > now)
    return session.scalar(query) or ""


def held_by_host(session: Session) -> dict[str, list[tuple[JobRow, int]]]:
    """The jobs that hold devices, with their number, in the order in which they came."""
    query = (
        select(AttemptRow.host, JobRow, AttemptRow.num_devices)
        .join(JobRow, JobRow.id == AttemptRow.job_id)
        .where(AttemptRow.ended_at.is_(None))
        .order_by(AttemptRow.placed_at)
        .options(load_only(JobRow.id, JobRow.name, JobRow.owner, JobRow.state))
    )
    found: dict[str, list[tuple[JobRow, int]]] = defaultdict(list)
    for host, job, num_devices in session.execute(query):
        found[host].append((job, num_devices))
    return found


def set_aside_by_host(session: Session) -> dict[str, list[SetAsideRow]]:
    query = select(SetAsideRow).where(SetAsideRow.released_at.is_(None)).order_by(SetAsideRow.device_index)
    found: dict[str, list[SetAsideRow]] = defaultdict(list)
    for row in session.scalars(query):
        found[row.host].append(row)
    return found


def jobs_on(session: Session, host: str) -> Sequence[JobRow]:
    """Jobs whose live attempt is on `host`."""
    query = (
        select(JobRow)
        .join(AttemptRow, AttemptRow.job_id == JobRow.id)
        .where(AttemptRow.host == host, AttemptRow.ended_at.is_(None))
        .order_by(AttemptRow.placed_at)
    )
    return session.scalars(query.with_for_update()).all()


def waiting_rows(session: Session, job_ids: Sequence[str]) -> dict[str, JobRow]:
    """By id, without their specs."""
    query = select(JobRow).where(JobRow.id.in_(job_ids)).options(defer(JobRow.spec), defer(JobRow.resolved))
    return {job.id: job for job in session.scalars(query)}


def not_due(session: Session, now: float) -> Sequence[JobRow]:
    """Queued jobs whose next try is later, the soonest first."""
    query = select(JobRow).where(JobRow.state == JobState.QUEUED, ~is_due(now))
    return session.scalars(query.options(defer(JobRow.spec), defer(JobRow.resolved)).order_by(JobRow.not_before)).all()


def job_names(session: Session, job_ids: Iterable[str]) -> dict[str, str]:
    query = select(JobRow.id, JobRow.name).where(JobRow.id.in_(list(job_ids)))
    return {job_id: name for job_id, name in session.execute(query)}  # noqa: C416  # a Row is no tuple to mypy
