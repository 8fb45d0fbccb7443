"""What users may do with hosts: drain one, take it back, release a GPU that was set aside. All are idempotent."""

from __future__ import annotations

from sqlalchemy.orm import Session

from backend.cluster import queries
from backend.cluster.host_views import host_views, no_such_host
from backend.db.database import Database
from backend.db.tables.hosts import HostRow, SetAsideRow
from backend.jobs.pausing import preempt
from tunedeck.errors import NotFound
from tunedeck.settings import Settings
from tunedeck.views.hosts import DrainHost, HostView


def drain(database: Database, settings: Settings, name: str, asked: DrainHost, who: str, now: float) -> HostView:
    """Place nothing new on the host; with `pause` what runs there leaves it. A second call may add the pause."""
    with database.writing() as session:
        host = _require(session, name)
        if host.drained_at is None:
            host.drained_at, host.drained_by = now, who
        host.drained_why = asked.why or host.drained_why
        for job in queries.jobs_on(session, name) if asked.pause else ():
            preempt(session, job, f"{name} is drained", now)
        return _view(session, host, settings, now)


def undrain(database: Database, settings: Settings, name: str, now: float) -> HostView:
    with database.writing() as session:
        host = _require(session, name)
        host.drained_at, host.drained_by, host.drained_why = None, "", ""
        return _view(session, host, settings, now)


def release(database: Database, settings: Settings, name: str, index: int, who: str, now: float) -> HostView:
    """Place on the device again until it has another error. Raises NotFound for one that was never set aside."""
    with database.writing() as session:
        host = _require(session, name)
        row = session.get(SetAsideRow, (name, index))
        if row is None:
            raise NotFound(f"device {index} of {name} is not set aside", "GET /api/v1/hosts lists those that are")
        if row.released_at is None:
            row.released_at, row.released_by = now, who
        return _view(session, host, settings, now)


def _require(session: Session, name: str) -> HostRow:
    host = session.get(HostRow, name, with_for_update=True)
    if host is None:
        raise no_such_host(name)
    return host


def _view(session: Session, host: HostRow, settings: Settings, now: float) -> HostView:
    session.flush()
    [view] = host_views(session, [host], now - settings.lease_s)
    return view
