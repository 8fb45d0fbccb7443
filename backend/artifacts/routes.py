"""/api/v1/jobs/{id}/artifacts"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter
from fastapi import Path as PathParameter
from fastapi.responses import FileResponse

from backend.artifacts import service
from backend.http.error_body import documented
from backend.http.services import ServicesDep
from tunedeck.errors import NotFound
from tunedeck.views.page import Page
from tunedeck.views.run_files import ArtifactView

router = APIRouter(prefix="/jobs", tags=["jobs"])
# Saying "identity" keeps the gzip middleware away: these files are large, and most are compressed already.
_AS_IT_IS = {"Content-Encoding": "identity"}
_BYTES: dict[int | str, dict[str, Any]] = {
    200: {"content": {"application/octet-stream": {}}, "description": "the file"}
}


@router.get("/{job_id}/artifacts", responses=documented(NotFound))
def list_artifacts(job_id: str, services: ServicesDep) -> Page[ArtifactView]:
    """Files that the run left for other tools, the newest attempt first."""
    return service.artifacts(services.database, services.settings, job_id)


@router.get("/{job_id}/artifacts/{attempt}/{path:path}", responses=documented(NotFound) | _BYTES)
def get_artifact(
    job_id: str,
    attempt: Annotated[int, PathParameter(ge=1, le=2**31 - 1)],
    path: str,
    services: ServicesDep,
) -> FileResponse:
    """One file, by attempt and path as listed."""
    file = service.artifact_file(services.database, services.settings, job_id, attempt, path)
    return FileResponse(file, media_type="application/octet-stream", filename=file.name, headers=_AS_IT_IS)
