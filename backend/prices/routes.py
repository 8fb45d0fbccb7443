"""/api/v1/prices"""

from __future__ import annotations

from fastapi import APIRouter

from backend.http.services import ServicesDep
from backend.prices import service
from tunedeck.prices import PriceList

router = APIRouter(prefix="/prices", tags=["settings"])


@router.get("")
def get_prices(services: ServicesDep) -> PriceList:
    return service.prices(services.database)


@router.put("")
def set_prices(wanted: PriceList, services: ServicesDep) -> PriceList:
    """Set the whole list. What jobs have cost so far is worked out anew from it."""
    return service.set_prices(services.database, wanted)
