"""/api/v1/models"""

from __future__ import annotations

import time
from typing import Annotated

from fastapi import APIRouter, Query

from backend.http.error_body import documented
from backend.http.services import ServicesDep
from backend.models import service
from tunedeck.errors import Conflict, NotFound
from tunedeck.views.models import ModelView, RegisterModel
from tunedeck.views.page import Page

router = APIRouter(prefix="/models", tags=["models"])


@router.get("")
def list_models(
    services: ServicesDep,
    limit: Annotated[int, Query(ge=1, le=500)] = 200,
    cursor: Annotated[str, Query(max_length=32)] = "",
) -> Page[ModelView]:
    return service.list_models(services.database, cursor, limit)


@router.post("", status_code=201, responses=documented(Conflict))
def register_model(asked: RegisterModel, services: ServicesDep) -> ModelView:
    """Register a Hugging Face folder with safetensors weights."""
    return service.register(services.database, services.settings, asked, time.time())


@router.get("/{name}", responses=documented(NotFound))
def get_model(name: str, services: ServicesDep) -> ModelView:
    return service.get(services.database, name)
