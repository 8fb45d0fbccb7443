"""/api/v1/views/{page}."""

from __future__ import annotations

import time
from typing import Annotated

from fastapi import APIRouter, Path, Query

from backend.http.error_body import documented
from backend.http.services import OwnerDep, ServicesDep
from backend.saved_views import service
from tunedeck.errors import Conflict, NotFound
from tunedeck.saved_views import SavedView, SaveView, ViewedPage, ViewName
from tunedeck.views.page import Page

router = APIRouter(prefix="/views", tags=["views"])
NameInPath = Annotated[ViewName, Path()]


@router.get("/{page}")
def list_views(page: ViewedPage, services: ServicesDep) -> Page[SavedView]:
    """The views of a page that anybody has saved, by name."""
    return service.views_of(services.database, page)


@router.put("/{page}/{name}", responses=documented(Conflict))
def save_view(
    page: ViewedPage,
    name: NameInPath,
    asked: SaveView,
    services: ServicesDep,
    owner: OwnerDep,
    overwrite: Annotated[bool, Query(description="also where the name is taken")] = False,
) -> SavedView:
    """Give an address of a page a name."""
    return service.save(services.database, owner, page, name, asked, overwrite, time.time())


@router.delete("/{page}/{name}", responses=documented(NotFound))
def delete_view(page: ViewedPage, name: NameInPath, services: ServicesDep) -> SavedView:
    return service.delete(services.database, page, name)
