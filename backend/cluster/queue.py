"""The queue as the scheduler sees it: in which order jobs are placed, why each waits, and when it may start."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from sqlalchemy.orm import Session

from backend.cluster import queries
from backend.db.database import Database
from backend.db.tables.hosts import HostRow
from backend.db.tables.jobs import JobRow
from backend.scheduler.expected import Start, expected_starts
from backend.scheduler.order import in_order
from backend.scheduler.placement import MOST_PLACEMENTS
from backend.scheduler.plan import Plan, Room, make_plan
from backend.scheduler.pools import pool_of_host
from backend.scheduler.reasons import Closed, Cluster, why_it_waits
from backend.scheduler.rooms import rooms_of, waiting_jobs
from backend.scheduler.shares import shares_of
from tunedeck.settings import Settings
from tunedeck.views.queue import QueuedView, QueueView, ShareView

RETRY = "it failed and is tried again, but not yet"
# Further back nothing follows any more from the jobs that run now.
MOST_ESTIMATED = 50


def look(database: Database, settings: Settings, limit: int, now: float) -> QueueView:
    """The first `limit` waiting jobs. Made with the scheduler's own plan, but without its lock."""
    with database.reading() as session:
        waiting = waiting_jobs(session, now)
        shares = shares_of(session, {job.owner for job in waiting}, now)
        queue = list(in_order(waiting, shares))
        rooms = rooms_of(session, now - settings.lease_s, now)
        plan = make_plan(queue, rooms, MOST_PLACEMENTS)
        rows = queries.waiting_rows(session, [job.job_id for job in queue[:limit]])
        later = queries.not_due(session, now)
        cluster = _cluster(session, rooms, plan)
    starts = expected_starts(queue[: min(limit, MOST_ESTIMATED)], rooms, plan, now)
    due = [
        _view(rows[job.job_id], number, why_it_waits(job, plan, cluster), starts.get(job.job_id))
        for number, job in enumerate(queue[:limit], start=1)
    ]
    not_due = [_view(row, number, RETRY, None) for number, row in enumerate(later, start=len(queue) + 1)]
    return QueueView(
        items=tuple([*due, *not_due][:limit]),
        num_waiting=len(queue) + len(later),
        shares=tuple(
            ShareView(owner=owner, pool=pool, device_seconds=share) for (owner, pool), share in sorted(shares.items())
        ),
    )


def _cluster(session: Session, rooms: Sequence[Room], plan: Plan) -> Cluster:
    hosts, open_hosts = queries.hosts(session), {room.host for room in rooms}
    given = Counter[str]()
    for each in plan.placements:
        given[each.host] += each.num_devices
    concerned = {holding.job_id for kept in plan.kept for holding in (*kept.waits_for, *kept.preempts)}
    return Cluster(
        rooms=rooms,
        closed=[_closed(host) for host in hosts if host.name not in open_hosts],
        free={room.host: room.free - given[room.host] for room in rooms},
        device_names={host.name: next((each["name"] for each in host.facts["devices"]), "") for host in hosts},
        job_names=queries.job_names(session, concerned | {kept.head.job_id for kept in plan.kept}),
    )


def _closed(host: HostRow) -> Closed:
    pool = pool_of_host(host.facts)
    return Closed(host.name, pool, "silent" if host.drained_at is None else "drained")


def _view(row: JobRow, position: int, why: str, start: Start | None) -> QueuedView:
    return QueuedView(
        position=position,
        job_id=row.id,
        name=row.name,
        owner=row.owner,
        priority=row.priority,
        preemptible=row.preemptible,
        device="cuda" if row.device == "cuda" else "cpu",
        num_devices=row.num_devices,
        created_at=row.created_at,
        why=why,
        expected_host=start.host if start else "",
        expected_start_at=start.at if start else None,
        not_before=row.not_before or None,
    )
