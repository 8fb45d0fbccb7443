"""Hosts, what holds their devices, and the jobs that wait, as light rows: planning 10,000 jobs must parse no spec."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from backend.db.tables import AttemptRow, HostRow, JobRow
from backend.jobs.due import is_due
from backend.jobs.views import eta_s
from backend.scheduler import queries
from backend.scheduler.order import Waiting, in_order
from backend.scheduler.plan import Holding, Room
from backend.scheduler.pools import MOST_ATTEMPTS_IN_RAY, is_ray, pool_of, pool_of_host
from backend.scheduler.shares import shares_of
from tunedeck.lifecycle import JobState

# Such a job gives its devices back as soon as its last checkpoint is written.
LEAVING = frozenset({JobState.PAUSING, JobState.STOPPING})

# A host that was last heard of later than that was so before the clock was set back, and may be dead since.
MOST_AHEAD_S = 120.0


def rooms_of(session: Session, alive_since: float, now: float) -> list[Room]:
    """The hosts that take jobs: heard of since `alive_since` and not drained. Times are unix seconds."""
    is_alive = HostRow.last_seen_at.between(alive_since, now + MOST_AHEAD_S)
    query = select(HostRow).where(is_alive, HostRow.drained_at.is_(None))
    holdings, set_aside = holdings_by_host(session, now), queries.devices_set_aside(session)
    return [
        room_of(host, len(set_aside.get(host.name, ())), holdings.get(host.name, ()))
        for host in session.scalars(query.order_by(HostRow.name))
    ]


def room_of(host: HostRow, num_set_aside: int, holdings: Sequence[Holding]) -> Room:
    """On a CPU host a job takes every core: two trainings on the same cores are slower than one after the other."""
    pool = pool_of_host(host.facts)
    if is_ray(pool):
        return Room(host.name, pool, MOST_ATTEMPTS_IN_RAY, tuple(holdings))
    usable = host.num_devices - num_set_aside
    return Room(host.name, pool, usable, tuple(holdings), takes_whole=pool == "cpu")


def queue_of_jobs(session: Session, now: float, most_alike: int | None = None) -> list[Waiting]:
    """Every job that is due, in the order in which they are looked at.

    Of jobs that a plan cannot tell apart but by their age, only the `most_alike` oldest: a plan that places no more
    than so many needs no more of them, and so what a tick costs does not grow with the queue.
    """
    waiting = [
        Waiting(job_id, owner, priority, created_at, pool, 1 if is_ray(pool) else num_devices, preemptible)
        for job_id, owner, priority, created_at, launcher, device, num_devices, preemptible in session.execute(
            _waiting(now) if most_alike is None else _oldest_of_each_kind(now, most_alike)
        )
        for pool in (pool_of(launcher, device),)
    ]
    owners = {job.owner for job in waiting}
    shares = shares_of(session, owners, now) if len(owners) > 1 else {}
    return list(in_order(waiting, shares))


def _waiting(now: float) -> Select[*tuple[Any, ...]]:
    return select(
        JobRow.id, JobRow.owner, JobRow.priority, JobRow.created_at,
        JobRow.launcher, JobRow.device, JobRow.num_devices, JobRow.preemptible,
    ).where(JobRow.state == JobState.QUEUED, is_due(now))  # fmt: skip


def _oldest_of_each_kind(now: float, most_alike: int) -> Select[*tuple[Any, ...]]:
    kind = (JobRow.owner, JobRow.priority, JobRow.launcher, JobRow.device, JobRow.num_devices, JobRow.preemptible)
    place = func.row_number().over(partition_by=kind, order_by=(JobRow.created_at, JobRow.id))
    ranked = _waiting(now).add_columns(place.label("place")).subquery()
    return select(*list(ranked.c)[:-1]).where(ranked.c.place <= most_alike)


def holdings_by_host(session: Session, now: float) -> dict[str, list[Holding]]:
    """What every attempt that has not ended holds."""
    query = (
        select(
            AttemptRow.host, AttemptRow.num_devices, AttemptRow.placed_at,
            JobRow.id, JobRow.state, JobRow.priority, JobRow.preemptible,
            JobRow.train_iters, JobRow.step, JobRow.step_time_ema_s,
        )
        .join(JobRow, JobRow.id == AttemptRow.job_id)
        .where(AttemptRow.ended_at.is_(None))
    )  # fmt: skip
    found: dict[str, list[Holding]] = defaultdict(list)
    for row in session.execute(query):
        remaining_s = eta_s(row.state, row.train_iters, row.step, row.step_time_ema_s)
        holding = Holding(
            job_id=row.id,
            num_devices=row.num_devices,
            placed_at=row.placed_at,
            priority=row.priority,
            preemptible=row.preemptible,
            is_leaving=row.state in LEAVING,
            free_at=None if remaining_s is None else now + remaining_s,
        )
        found[row.host].append(holding)
    return found
