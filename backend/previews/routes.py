"""/api/v1/datasets/{name}/rows and /tokens, /api/v1/jobs/forecast"""

from __future__ import annotations

import time
from typing import Annotated, Any

from fastapi import APIRouter, Body, Query, Response

from backend.http.error_body import documented
from backend.http.raw_json import DocumentedAs, RawObject
from backend.http.services import OwnerDep, ServicesDep
from backend.previews.views import DataForecast, RowsView, SampleView
from backend.works.answers import LATER, now_or_later
from tunedeck.errors import NotFound
from tunedeck.spec import JobSpec, LossMaskType
from tunedeck.views.works import WorkView

router = APIRouter(tags=["previews"])
LAST_ROW = 2**31 - 1
RawSpec = Annotated[RawObject, Body(), DocumentedAs(JobSpec)]
Version = Annotated[int | None, Query(ge=1, le=LAST_ROW, description="none: the newest")]


@router.get("/datasets/{name}/rows", responses=documented(NotFound))
def list_rows(
    name: str,
    services: ServicesDep,
    owner: OwnerDep,
    version: Version = None,
    first: Annotated[int, Query(ge=1, le=LAST_ROW, description="number of a row, from 1")] = 1,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> RowsView:
    """Rows as the conversations that are trained."""
    return services.previews.rows(owner, name, version, first, limit)


@router.get("/datasets/{name}/tokens", responses=documented(NotFound))
def list_tokens(
    name: str,
    services: ServicesDep,
    owner: OwnerDep,
    model: Annotated[str, Query(max_length=80)],
    row: Annotated[int, Query(ge=1, le=LAST_ROW)] = 1,
    loss_mask_type: LossMaskType = "qwen",
    version: Version = None,
) -> SampleView:
    """Every token of a row, whether it is trained, and where the model's chat template would write another."""
    return services.previews.tokens(owner, name, version, row, model, loss_mask_type)


@router.post("/jobs/forecast", responses=LATER)
def forecast_data(raw: RawSpec, services: ServicesDep, owner: OwnerDep, response: Response) -> DataForecast | WorkView:
    """Lengths of the samples under a spec, and how they would pack; nothing is stored but the lengths."""
    answer: Any = services.previews.forecast(owner, raw, time.time())
    return now_or_later(services.works, answer, response)
