"""/api/v1/jobs/{id}/notes."""

from __future__ import annotations

import time

from fastapi import APIRouter

from backend.http.error_body import documented
from backend.http.services import OwnerDep, ServicesDep
from backend.notes import service
from tunedeck.errors import Conflict, NotFound
from tunedeck.notes import EditNotes, NotesView

router = APIRouter(prefix="/jobs", tags=["jobs"])


@router.get("/{job_id}/notes", responses=documented(NotFound))
def read_notes(job_id: str, services: ServicesDep) -> NotesView:
    return service.notes(services.database, job_id)


@router.put("/{job_id}/notes", responses=documented(NotFound, Conflict))
def edit_notes(job_id: str, asked: EditNotes, services: ServicesDep, owner: OwnerDep) -> NotesView:
    """Write notes in Markdown, unless somebody else has changed them since they were read."""
    view = service.edit(services.database, owner, job_id, asked, time.time())
    services.background.wake_feed()
    return view
