"""/api/v1/alerts. Whoever has a token may look and set rules; where messages go is for an administrator alone."""

from __future__ import annotations

import time
from typing import Annotated

from fastapi import APIRouter, Depends, Query

from backend.accounts.token_file import FIRST_TOKEN
from backend.alerts import service
from backend.http.error_body import documented
from backend.http.services import OwnerDep, ServicesDep
from tunedeck.alerts import AlertRule, AlertView, Channel, ChannelView, DeliveryView, RuleView
from tunedeck.errors import AdminRequired, Conflict, NotFound
from tunedeck.views.page import Page

router = APIRouter(prefix="/alerts", tags=["alerts"])
Limit = Annotated[int, Query(ge=1, le=500)]


async def administrator(owner: OwnerDep) -> str:
    if owner != FIRST_TOKEN:
        raise AdminRequired(f"{owner!r} may not say where alerts go", "ask whoever runs the service")
    return owner


AdminDep = Annotated[str, Depends(administrator)]


@router.get("")
def list_alerts(
    services: ServicesDep,
    job: Annotated[str, Query(max_length=32, description="id of a job")] = "",
    open: Annotated[bool, Query(description="only those that are not resolved")] = False,
    limit: Limit = 100,
) -> Page[AlertView]:
    """Newest first."""
    return service.alerts(services.database, job, open, limit)


@router.get("/rules")
def list_rules(services: ServicesDep) -> Page[RuleView]:
    return service.rules(services.database)


@router.post("/rules", status_code=201, responses=documented(Conflict))
def add_rule(wanted: AlertRule, services: ServicesDep) -> RuleView:
    return service.put_rule(services.database, "", wanted, time.time())


@router.put("/rules/{rule_id}", responses=documented(NotFound))
def change_rule(rule_id: str, wanted: AlertRule, services: ServicesDep) -> RuleView:
    """Set the whole rule."""
    return service.put_rule(services.database, rule_id, wanted, time.time())


@router.delete("/rules/{rule_id}", responses=documented(NotFound))
def remove_rule(rule_id: str, services: ServicesDep) -> RuleView:
    """Remove a rule and its alerts."""
    return service.remove_rule(services.database, rule_id)


@router.get("/channels")
def list_channels(services: ServicesDep) -> Page[ChannelView]:
    return service.channels(services.database)


@router.post("/channels", status_code=201, responses=documented(AdminRequired, Conflict))
def add_channel(wanted: Channel, services: ServicesDep, admin: AdminDep) -> ChannelView:
    """Add a webhook or mail server. A key that is made for a webhook is shown in this answer and never again."""
    return service.put_channel(services.database, "", wanted, time.time())


@router.put("/channels/{channel_id}", responses=documented(AdminRequired, NotFound, Conflict))
def change_channel(channel_id: str, wanted: Channel, services: ServicesDep, admin: AdminDep) -> ChannelView:
    """Set the whole channel; secrets that are left out stay as they were."""
    return service.put_channel(services.database, channel_id, wanted, time.time())


@router.delete("/channels/{channel_id}", responses=documented(AdminRequired, NotFound))
def remove_channel(channel_id: str, services: ServicesDep, admin: AdminDep) -> ChannelView:
    """Remove a channel and what waits for it."""
    return service.remove_channel(services.database, channel_id)


@router.post("/channels/{channel_id}/test", responses=documented(AdminRequired, NotFound))
def test_channel(channel_id: str, services: ServicesDep, admin: AdminDep) -> DeliveryView:
    """Send a message that says only that it has arrived; what became of it is among the deliveries."""
    return service.send_test(services.database, channel_id, admin, time.time())


@router.get("/deliveries")
def list_deliveries(services: ServicesDep, limit: Limit = 50) -> Page[DeliveryView]:
    """Newest first."""
    return service.deliveries(services.database, limit)


@router.post("/deliveries/{delivery_id}/resend", responses=documented(AdminRequired, NotFound, Conflict))
def resend(delivery_id: str, services: ServicesDep, admin: AdminDep) -> DeliveryView:
    """Deliver it again, under the same id."""
    return service.resend(services.database, delivery_id, time.time())
