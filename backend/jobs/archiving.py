"""The archive: runs that nobody wants to see in the list, kept with all they have."""

from __future__ import annotations

from sqlalchemy.orm import Session

from backend.db.tables.jobs import JobRow
from backend.jobs.transitions import wish
from tunedeck.actions import ARCHIVABLE
from tunedeck.errors import Conflict


def archive(session: Session, job: JobRow, who: str, now: float) -> None:
    """Nothing for an archived job. Raises Conflict for one that waits or holds devices: it must not be out of sight."""
    if job.archived_at is not None:
        return
    if job.state not in ARCHIVABLE:
        message = f"{job.name} is {job.state} and cannot be archived"
        raise Conflict(message, "cancel it, or wait until it has ended")
    job.archived_at = now
    wish(session, job, who, "archived", now)


def unarchive(session: Session, job: JobRow, who: str, now: float) -> None:
    """Nothing for a job that is not archived."""
    if job.archived_at is None:
        return
    job.archived_at = None
    wish(session, job, who, "taken out of the archive", now)
