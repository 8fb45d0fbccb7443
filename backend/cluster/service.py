"""Which hosts there are, and whether the service is well. Health never raises: it is asked when things are not well."""

from __future__ import annotations

import redis

from backend.background import Background
from backend.cluster import queries
from backend.cluster.host_views import host_views, no_such_host
from backend.db.database import Database
from tunedeck import __version__
from tunedeck.errors import TunedeckError
from tunedeck.settings import Settings
from tunedeck.views.hosts import HostView
from tunedeck.views.page import Page
from tunedeck.views.service import HealthView

# More than ingest needs for its fullest batch.
TOO_FAR_BEHIND_S = 5.0


def list_hosts(database: Database, settings: Settings, now: float) -> Page[HostView]:
    """Every host that ever said hello; one that was silent for a whole lease is not alive."""
    with database.reading() as session:
        return Page[HostView](items=tuple(host_views(session, queries.hosts(session), now - settings.lease_s)))


def require_host(database: Database, name: str) -> None:
    """Raise NotFound for a host that never said hello."""
    with database.reading() as session:
        if not queries.has_host(session, name):
            raise no_such_host(name)


def health(database: Database, settings: Settings, background: Background, now: float) -> HealthView:
    num_hosts, database_fault = _num_hosts(database, now - settings.lease_s)
    bus_fault = _bus_fault(background.bus)
    lag_s = background.ingest.lag_s
    detail = [database_fault, bus_fault, *background.faults()]
    if lag_s > TOO_FAR_BEHIND_S:
        detail.append(f"what workers say is stored {lag_s:.0f} s late")
    if not num_hosts and not database_fault:
        detail.append("no worker is alive: queued jobs wait")
    said = tuple(filter(None, detail))
    return HealthView(
        status="degraded" if said else "ok",
        version=__version__,
        database=not database_fault,
        bus=not bus_fault,
        num_hosts=num_hosts,
        ingest_lag_s=lag_s,
        detail=said,
    )


def _num_hosts(database: Database, since: float) -> tuple[int, str]:
    try:
        database.check()
        with database.reading() as session:
            return queries.num_hosts_seen_since(session, since), ""
    except TunedeckError as fault:
        return 0, f"the database does not answer: {fault}"


def _bus_fault(bus: redis.Redis) -> str:
    try:
        bus.ping()
    except redis.RedisError as fault:
        return f"the bus does not answer: {fault}"
    return ""
