"""Hosts as REST sends them out: what they have, who holds it, and why they take nothing new."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from sqlalchemy.orm import Session

from backend.cluster import queries
from backend.db.tables.hosts import HostRow, SetAsideRow
from backend.db.tables.jobs import JobRow
from tunedeck.bus import HostFacts
from tunedeck.errors import NotFound
from tunedeck.lifecycle import JobState
from tunedeck.views.hosts import DrainView, HeldView, HostView, SetAsideView

Held = Sequence[tuple[JobRow, int]]


def no_such_host(name: str) -> NotFound:
    return NotFound(f"there is no host {name!r}", "list the hosts: GET /api/v1/hosts")


def host_views(session: Session, rows: Iterable[HostRow], alive_since: float) -> Iterator[HostView]:
    held, set_aside = queries.held_by_host(session), queries.set_aside_by_host(session)
    for row in rows:
        yield _view(row, held.get(row.name, ()), set_aside.get(row.name, ()), alive_since)


def _view(row: HostRow, held: Held, set_aside: Sequence[SetAsideRow], alive_since: float) -> HostView:
    alive = row.last_seen_at >= alive_since
    num_left = row.num_devices - len(set_aside) - sum(num_devices for _, num_devices in held)
    return HostView(
        facts=HostFacts.model_validate(row.facts),
        last_seen_at=row.last_seen_at,
        alive=alive,
        jobs=tuple(job.id for job, _ in held),
        num_free=max(0, num_left) if alive and row.drained_at is None else 0,
        held=tuple(_held_view(job, num_devices) for job, num_devices in held),
        set_aside=tuple(_set_aside_view(each) for each in set_aside),
        drained=_drain_view(row),
    )


def _held_view(job: JobRow, num_devices: int) -> HeldView:
    return HeldView(job_id=job.id, name=job.name, owner=job.owner, state=JobState(job.state), num_devices=num_devices)


def _set_aside_view(row: SetAsideRow) -> SetAsideView:
    return SetAsideView(index=row.device_index, why=row.why, since=row.set_aside_at)


def _drain_view(row: HostRow) -> DrainView | None:
    if row.drained_at is None:
        return None
    return DrainView(by=row.drained_by, why=row.drained_why, since=row.drained_at)
