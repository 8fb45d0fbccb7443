"""/api/v1/works"""

from __future__ import annotations

from fastapi import APIRouter

from backend.http.error_body import documented
from backend.http.services import OwnerDep, ServicesDep
from tunedeck.errors import NotFound
from tunedeck.views.page import Page
from tunedeck.views.works import WorkView

router = APIRouter(prefix="/works", tags=["works"])


@router.get("")
def list_works(services: ServicesDep, owner: OwnerDep) -> Page[WorkView]:
    """Long work under way, and what has ended within the last hour; newest first."""
    return Page[WorkView](items=tuple(work.view() for work in services.works.all(owner)))


@router.get("/{work_id}", responses=documented(NotFound))
def get_work(work_id: str, services: ServicesDep, owner: OwnerDep) -> WorkView:
    return services.works.get(owner, work_id).view()


@router.post("/{work_id}/cancel", responses=documented(NotFound))
def cancel_work(work_id: str, services: ServicesDep, owner: OwnerDep) -> WorkView:
    """Stop it; what it has made so far is removed. Idempotent."""
    return services.works.cancel(owner, work_id).view()
