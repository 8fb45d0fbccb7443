"""/api/v1/datasets"""

from __future__ import annotations

import time
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel

from backend.datasets import service, trash
from backend.http.error_body import documented
from backend.http.services import OwnerDep, Services, ServicesDep
from backend.works.works import Work
from tunedeck.conversations import DatasetReport
from tunedeck.errors import ChecksumMismatch, Conflict, DatasetInUse, NotFound
from tunedeck.views import CheckDataset, DatasetView, Page, RegisterDataset, WorkView

router = APIRouter(prefix="/datasets", tags=["datasets"])
WAIT_S = 5.0
V = TypeVar("V", bound=BaseModel)

Version = Annotated[int | None, Query(ge=1, le=2**31 - 1, description="none: the newest")]
LATER: dict[int | str, dict[str, Any]] = {202: {"model": WorkView, "description": "it takes longer: ask for the work"}}


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
    return _now_or_later(services, asked, services.registry.register(owner, asked), response)


@router.post("/check", responses={**documented(NotFound, Conflict), **LATER})
def check_dataset(
    asked: CheckDataset, services: ServicesDep, owner: OwnerDep, response: Response
) -> DatasetReport | WorkView:
    """What is in a file, every fault of every row, and what would be trained; nothing is stored."""
    return _now_or_later(services, asked, services.registry.check(owner, asked), response)


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


def _now_or_later(services: Services, asked: CheckDataset, answer: V | Work, response: Response) -> V | WorkView:
    """The answer of a work that ends soon; else, and always for the hub, 202 and the work, to be asked for again."""
    if not isinstance(answer, Work):
        return answer
    if not services.works.wait(answer, 0.0 if asked.hub else WAIT_S):
        response.status_code = 202
        return answer.view()
    if answer.fault is not None:
        raise answer.fault
    if answer.result is None:
        raise Conflict(f"the {answer.kind} was cancelled", "ask again")
    result: V = answer.result
    return result
