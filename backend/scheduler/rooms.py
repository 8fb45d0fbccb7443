"""Hosts, what holds their devices, and the jobs that wait, as light rows: planning 10,000 jobs must parse no spec."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from typing import Any

from sqlalchemy import Float, Select, bindparam, func, select
from sqlalchemy.orm import Session

from backend.db.tables.hosts import HostRow
from backend.db.tables.jobs import AttemptRow, JobRow
from backend.jobs.due import is_due
from backend.jobs.views import eta_s
from backend.scheduler import queries
from backend.scheduler.order import Waiting, in_order
from backend.scheduler.plan import Holding, Room
from backend.scheduler.pools import MOST_ATTEMPTS_IN_RAY, is_ray, pool_of
from backend.scheduler.shares import shares_of
from tunedeck.lifecycle import JobState

# Such a job gives its devices back as soon as its last checkpoint is written.
LEAVING = frozenset({JobState.PAUSING, JobState.STOPPING})

# A host that was last heard of later than that was so before the clock was set back, and may be dead since.
MOST_AHEAD_S = 120.0


# Put together once: that is half of what a question costs, and each tick asks them all.
_ROOMS = (
    select(
        HostRow.name,
        HostRow.num_devices,
        HostRow.facts["launcher"].as_string(),
        HostRow.facts["kind"].as_string(),
    )
    .where(HostRow.last_seen_at.between(bindparam("alive_since"), bindparam("latest")), HostRow.drained_at.is_(None))
    .order_by(HostRow.name)
)
_ROOMS_OF = _ROOMS.where(HostRow.name.in_(bindparam("only", expanding=True)))
_WAITING = select(
    *(JobRow.id, JobRow.owner, JobRow.priority, JobRow.created_at),
    *(JobRow.launcher, JobRow.device, JobRow.num_devices, JobRow.preemptible),
).where(JobRow.state == JobState.QUEUED.value, is_due(bindparam("now", type_=Float)))
_ALIKE = (JobRow.owner, JobRow.priority, JobRow.launcher, JobRow.device, JobRow.num_devices, JobRow.preemptible)
_RANKED = _WAITING.add_columns(
    func.row_number().over(partition_by=_ALIKE, order_by=(JobRow.created_at, JobRow.id)).label("place")
).subquery()
_OLDEST_OF_EACH_KIND = select(*list(_RANKED.c)[:-1]).where(_RANKED.c.place <= bindparam("most_alike"))
_HOLDINGS: Select[*tuple[Any, ...]] = (
    select(
        *(AttemptRow.host, AttemptRow.num_devices, AttemptRow.placed_at),
        *(JobRow.id, JobRow.state, JobRow.priority, JobRow.preemptible),
        *(JobRow.train_iters, JobRow.step, JobRow.step_time_ema_s),
    )
    .join(JobRow, JobRow.id == AttemptRow.job_id)
    .where(AttemptRow.ended_at.is_(None))
)
_HOLDINGS_OF = _HOLDINGS.where(AttemptRow.host.in_(bindparam("only", expanding=True)))


def rooms_of(session: Session, alive_since: float, now: float, only: Collection[str] = ()) -> list[Room]:
    """The hosts that take jobs: heard of since `alive_since` and not drained. Times are unix seconds. `only`: no others
    than these, where any are named."""
    alive = {"alive_since": alive_since, "latest": now + MOST_AHEAD_S}
    hosts = session.execute(_ROOMS_OF, alive | {"only": list(only)}) if only else session.execute(_ROOMS, alive)
    holdings, set_aside = holdings_by_host(session, now, only), queries.devices_set_aside(session)
    return [
        _room(name, pool_of(launcher, kind), num_devices - len(set_aside.get(name, ())), tuple(holdings.get(name, ())))
        for name, num_devices, launcher, kind in hosts
    ]


def _room(host: str, pool: str, num_usable: int, holdings: tuple[Holding, ...]) -> Room:
    """On a CPU host a job takes every core: two trainings on the same cores are slower than one after the other."""
    if is_ray(pool):
        return Room(host, pool, MOST_ATTEMPTS_IN_RAY, holdings)
    return Room(host, pool, num_usable, holdings, takes_whole=pool == "cpu")


def queue_of_jobs(session: Session, now: float, most_alike: int) -> list[Waiting]:
    """The jobs that are due, in the order in which they are looked at; `most_alike` as of `waiting_jobs`."""
    waiting = waiting_jobs(session, now, most_alike)
    owners = {job.owner for job in waiting}
    shares = shares_of(session, owners, now) if len(owners) > 1 else {}
    return list(in_order(waiting, shares))


def waiting_jobs(session: Session, now: float, most_alike: int | None = None) -> list[Waiting]:
    """Every job that is due, in no order.

    Of jobs that a plan cannot tell apart but by their age, only the `most_alike` oldest: a plan that places no more
    than so many needs no more of them, and so what a tick costs does not grow with the queue.
    """
    asked = _WAITING if most_alike is None else _OLDEST_OF_EACH_KIND
    return [
        Waiting(job_id, owner, priority, created_at, pool, 1 if is_ray(pool) else num_devices, preemptible)
        for job_id, owner, priority, created_at, launcher, device, num_devices, preemptible in session.execute(
            asked, {"now": now} if most_alike is None else {"now": now, "most_alike": most_alike}
        )
        for pool in (pool_of(launcher, device),)
    ]


def holdings_by_host(session: Session, now: float, only: Collection[str] = ()) -> dict[str, list[Holding]]:
    """What every attempt that has not ended holds; `only` as of `rooms_of`."""
    found: dict[str, list[Holding]] = defaultdict(list)
    for row in session.execute(_HOLDINGS_OF, {"only": list(only)}) if only else session.execute(_HOLDINGS):
        host, num_devices, placed_at, job_id, state, priority, preemptible, train_iters, step, step_time_s = row
        remaining_s = eta_s(state, train_iters, step, step_time_s)
        free_at = None if remaining_s is None else now + remaining_s
        found[host].append(Holding(job_id, num_devices, placed_at, priority, preemptible, state in LEAVING, free_at))
    return found
