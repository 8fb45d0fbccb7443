"""/api/v1/jobs/{id}/report.html and /api/v1/compare/report.html"""

from __future__ import annotations

import time
from typing import Annotated

from fastapi import APIRouter, Query, Response
from fastapi.responses import HTMLResponse

from backend.http.error_body import documented
from backend.http.services import Services, ServicesDep
from backend.reports import service
from tunedeck.errors import NotFound

router = APIRouter(tags=["reports"])
MOST_RUNS = 50
# HTMLResponse as the class of the route would document the errors as HTML, too.
ANSWERS = {200: {"content": {"text/html": {"schema": {"type": "string"}}}}, **documented(NotFound)}
Runs = Annotated[list[str], Query(alias="run", min_length=1, max_length=MOST_RUNS, description="may repeat")]


@router.get("/jobs/{job_id}/report.html", response_class=Response, responses=ANSWERS)
def get_report(job_id: str, services: ServicesDep) -> HTMLResponse:
    """Charts, results, spec and events in one file that opens without a network."""
    return _report(services, [job_id], f"{job_id}.html")


@router.get("/compare/report.html", response_class=Response, responses=ANSWERS)
def get_comparison(services: ServicesDep, run: Runs) -> HTMLResponse:
    """The same of several jobs beside each other, and in what their specs differ."""
    return _report(services, run, "comparison.html")


def _report(services: Services, job_ids: list[str], name: str) -> HTMLResponse:
    content = service.report_of(services.database, services.templates, job_ids, time.time())
    headers = {
        "Content-Disposition": f'attachment; filename="{name}"',
        # Compressed once more it would be no smaller.
        "Content-Encoding": "identity",
    }
    return HTMLResponse(content, headers=headers)
