"""/api/v1/hosts, /api/v1/queue, /api/v1/celery and /api/v1/health"""

from __future__ import annotations

import time
from typing import Annotated

from fastapi import APIRouter, Path, Query

from backend.cluster import actions, queue, service
from backend.cluster.celery_health import celery_health
from backend.http.error_body import documented
from backend.http.services import OwnerDep, ServicesDep
from tunedeck.errors import NotFound
from tunedeck.views.hosts import DrainHost, HostReadingsView, HostView
from tunedeck.views.page import Page
from tunedeck.views.queue import QueueView
from tunedeck.views.service import CeleryView, HealthView

router = APIRouter(tags=["cluster"])
MOST_QUEUED = 500
DeviceIndex = Annotated[int, Path(ge=0, le=2**31 - 1)]


@router.get("/hosts")
def list_hosts(services: ServicesDep) -> Page[HostView]:
    """Every host that ever said hello."""
    return service.list_hosts(services.database, services.settings, time.time())


@router.get("/hosts/{name}/readings", responses=documented(NotFound))
def get_readings(name: str, services: ServicesDep) -> HostReadingsView:
    """What the host read off its devices in the last ten minutes, every few seconds."""
    service.require_host(services.database, name)
    return services.background.readings.of_host(name)


@router.post("/hosts/{name}/drain", responses=documented(NotFound))
def drain_host(name: str, asked: DrainHost, services: ServicesDep, owner: OwnerDep) -> HostView:
    """Place nothing new on a host. Idempotent."""
    view = actions.drain(services.database, services.settings, name, asked, owner, time.time())
    services.background.wake_scheduler()
    return view


@router.post("/hosts/{name}/undrain", responses=documented(NotFound))
def undrain_host(name: str, services: ServicesDep) -> HostView:
    """Place on it again. Idempotent."""
    view = actions.undrain(services.database, services.settings, name, time.time())
    services.background.wake_scheduler()
    return view


@router.post("/hosts/{name}/devices/{index}/release", responses=documented(NotFound))
def release_device(name: str, index: DeviceIndex, services: ServicesDep, owner: OwnerDep) -> HostView:
    """Place on a device again that was set aside after an error. Idempotent."""
    view = actions.release(services.database, services.settings, name, index, owner, time.time())
    services.background.wake_scheduler()
    return view


@router.get("/queue")
def get_queue(services: ServicesDep, limit: Annotated[int, Query(ge=1, le=MOST_QUEUED)] = 100) -> QueueView:
    """The jobs that wait for devices, in the order in which they are placed, and why each waits."""
    return queue.look(services.database, services.settings, limit, time.time())


@router.get("/celery")
def get_celery(services: ServicesDep) -> CeleryView:
    """How the way between backend and workers is: broker, task queues, the stream back, and the leader."""
    return celery_health(services.database, services.settings, services.background, time.time())


@router.get("/health")
def get_health(services: ServicesDep) -> HealthView:
    """Always 200: `status` says how it is, `detail` what is not well."""
    return service.health(services.database, services.settings, services.background, time.time())
