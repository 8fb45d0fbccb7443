"""SQL of hosts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from backend.db.tables import AttemptRow, HostRow

# A spec is judged by the hosts that there are; one that restarts just now is still there.
FORGIVEN_SILENCE_S = 60.0


def hosts(session: Session) -> Sequence[HostRow]:
    return session.scalars(select(HostRow).order_by(HostRow.name)).all()


def alive(session: Session, now: float) -> Sequence[HostRow]:
    """Hosts for which a spec may be resolved. The scheduler, which sends work, is stricter."""
    is_alive = HostRow.last_seen_at >= now - FORGIVEN_SILENCE_S
    return session.scalars(select(HostRow).where(is_alive).order_by(HostRow.name)).all()


def num_hosts_seen_since(session: Session, since: float) -> int:
    return session.scalar(select(func.count()).select_from(HostRow).where(HostRow.last_seen_at >= since)) or 0


def jobs_by_host(session: Session) -> dict[str, tuple[str, ...]]:
    """Ids of the jobs that hold devices."""
    query = select(AttemptRow.host, AttemptRow.job_id).where(AttemptRow.ended_at.is_(None))
    found: dict[str, list[str]] = defaultdict(list)
    for host, job_id in session.execute(query.order_by(AttemptRow.placed_at)):
        found[host].append(job_id)
    return {host: tuple(job_ids) for host, job_ids in found.items()}
