"""/api/v1/hosts and /api/v1/health"""

from __future__ import annotations

import time

from fastapi import APIRouter

from backend.cluster import service
from backend.http.services import ServicesDep
from tunedeck.views import HealthView, HostView, Page

router = APIRouter(tags=["cluster"])


@router.get("/hosts")
def list_hosts(services: ServicesDep) -> Page[HostView]:
    """Every host that ever said hello."""
    return service.list_hosts(services.database, services.settings, time.time())


@router.get("/health")
def get_health(services: ServicesDep) -> HealthView:
    """Always 200: `status` says how it is, `detail` what is not well."""
    return service.health(services.database, services.settings, services.background, time.time())
