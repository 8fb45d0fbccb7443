"""/api/v1/datasets"""

from __future__ import annotations

import time
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from backend.datasets import service
from backend.datasets.upload import UploadReader
from backend.http.error_body import documented
from backend.http.services import ServicesDep
from tunedeck.errors import BadInput, Conflict, NotFound
from tunedeck.views import DatasetView, Page, RegisterDataset

router = APIRouter(prefix="/datasets", tags=["datasets"])
_UNLIMITED = 1 << 62  # UploadReader has the limit of the settings, which are not known here
_UPLOAD_FORM: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["name", "file"],
                    "properties": {
                        "name": {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$"},
                        "file": {"type": "string", "format": "binary", "description": "JSON or JSONL"},
                    },
                }
            }
        },
    }
}


@router.get("")
def list_datasets(
    services: ServicesDep,
    limit: Annotated[int, Query(ge=1, le=500)] = 200,
    cursor: Annotated[str, Query(max_length=32)] = "",
) -> Page[DatasetView]:
    return service.list_datasets(services.database, cursor, limit)


@router.post("", status_code=201, responses=documented(Conflict))
def register_dataset(asked: RegisterDataset, services: ServicesDep) -> DatasetView:
    """Register a JSON or JSONL file that lies on the server."""
    return service.register(services.database, services.settings, asked, time.time())


@router.post(
    "/upload",
    status_code=201,
    responses=documented(Conflict),
    openapi_extra=_UPLOAD_FORM,
    max_body_size=_UNLIMITED,
)
async def upload_dataset(request: Request, services: ServicesDep) -> DatasetView:
    """Send a JSON or JSONL file as multipart/form-data. A coroutine, because the body comes in pieces."""
    settings = services.settings
    content_type = request.headers.get("content-type", "")
    reader = UploadReader(content_type, settings.datasets_dir.resolve(), settings.max_upload_bytes)
    try:
        async for chunk in request.stream():
            await run_in_threadpool(reader.feed, chunk)
        upload = await run_in_threadpool(reader.finish)
        return await run_in_threadpool(service.add_upload, services.database, settings, upload, time.time())
    except ClientDisconnect as fault:
        raise BadInput("the upload broke off", "send it again") from fault
    finally:
        await run_in_threadpool(reader.close)


@router.get("/{name}", responses=documented(NotFound))
def get_dataset(name: str, services: ServicesDep) -> DatasetView:
    return service.get(services.database, name)
