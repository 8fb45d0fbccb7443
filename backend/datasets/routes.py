"""/api/v1/datasets"""

from __future__ import annotations

import time
from typing import Annotated

from fastapi import APIRouter, Query, Response

from backend.datasets import service, trash
from backend.http.error_body import documented
from backend.http.services import OwnerDep, ServicesDep
from backend.works.answers import LATER, WAIT_S, now_or_later
from tunedeck.conversations import DatasetReport
from tunedeck.errors import ChecksumMismatch, Conflict, DatasetInUse, NotFound
from tunedeck.views.datasets import CheckDataset, DatasetView, RegisterDataset
from tunedeck.views.page import Page
from tunedeck.views.works import WorkView

router = APIRouter(prefix="/datasets", tags=["datasets"])

Version = Annotated[int | None, Query(ge=1, le=2**31 - 1, description="none: the newest")]


@router.get("")
def list_datasets(
    services: ServicesDep,
    owner: OwnerDep,
    limit: Annotated[int, Query(ge=1, le=500)] = 200,
    cursor: Annotated[str, Query(max_length=32)] = "",
    trashed: Annotated[bool, Query(description="what lies in the trash instead")] = False,
) -> Page[DatasetView]:
    return service.list_datasets(services.database, owner, cursor, limit, trashed)


@router.post("", status_code=201, responses={**documented(NotFound, Conflict, ChecksumMismatch), **LATER})
def register_dataset(
    asked: RegisterDataset, services: ServicesDep, owner: OwnerDep, response: Response
) -> DatasetView | WorkView:
    """Make a data set, or a new version of one, of a file on the server, a complete upload, or the hub."""
    wait_s = 0.0 if asked.hub else WAIT_S
    return now_or_later(services.works, services.registry.register(owner, asked), response, wait_s)


@router.post("/check", responses={**documented(NotFound, Conflict), **LATER})
def check_dataset(
    asked: CheckDataset, services: ServicesDep, owner: OwnerDep, response: Response
) -> DatasetReport | WorkView:
    """What is in a file, every fault of every row, and what would be trained; nothing is stored."""
    wait_s = 0.0 if asked.hub else WAIT_S
    return now_or_later(services.works, services.registry.check(owner, asked), response, wait_s)


@router.get("/{name}", responses=documented(NotFound))
def get_dataset(name: str, services: ServicesDep, owner: OwnerDep, version: Version = None) -> DatasetView:
    return service.get(services.database, owner, name, version)


@router.delete("/{name}", responses=documented(NotFound, Conflict, DatasetInUse))
def delete_dataset(
    name: str,
    services: ServicesDep,
    owner: OwnerDep,
    for_good: Annotated[bool, Query(description="delete at once what lies in the trash")] = False,
) -> DatasetView:
    """Put a data set into the trash, from which it can be restored for seven days."""
    if for_good:
        return trash.delete_for_good(services.database, owner, name)
    return trash.trash(services.database, owner, name, time.time())


@router.post("/{name}/restore", responses=documented(NotFound))
def restore_dataset(name: str, services: ServicesDep, owner: OwnerDep) -> DatasetView:
    return trash.restore(services.database, owner, name)


@router.get("/{name}/versions", responses=documented(NotFound))
def list_versions(name: str, services: ServicesDep, owner: OwnerDep) -> Page[DatasetView]:
    """Newest first."""
    return service.versions(services.database, owner, name)
