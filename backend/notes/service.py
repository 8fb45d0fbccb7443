"""Reads and changes the notes of a job."""

from __future__ import annotations

from backend.db.database import Database
from backend.db.known_jobs import no_such_job, require_jobs
from backend.db.tables.jobs import JobNotesRow, JobRow
from backend.jobs.transitions import wish
from backend.notes.markdown import safe_html
from tunedeck.errors import Conflict
from tunedeck.notes import EditNotes, NotesView


def notes(database: Database, job_id: str) -> NotesView:
    """Empty ones where nobody has written any. Raises NotFound."""
    with database.reading() as session:
        require_jobs(session, [job_id])
        return _view(session.get(JobNotesRow, job_id))


def edit(database: Database, who: str, job_id: str, asked: EditNotes, now: float) -> NotesView:
    """Raises NotFound, and Conflict where the notes are not those any more that were changed."""
    with database.writing() as session:
        job = session.get(JobRow, job_id)
        if job is None:
            raise no_such_job(job_id)
        row = session.get(JobNotesRow, job_id)
        if row is not None and row.markdown == asked.markdown:
            return _view(row)
        if asked.version != (row.version if row else 0):
            by = f" by {row.edited_by}" if row else ""
            raise Conflict(f"the notes were changed{by} since you read them", "read them again and add what is yours")
        if row is None:
            row = JobNotesRow(job_id=job_id, version=0)
            session.add(row)
        row.markdown, row.version, row.edited_at, row.edited_by = asked.markdown, row.version + 1, now, who
        wish(session, job, who, "notes changed", now)
        return _view(row)


def _view(row: JobNotesRow | None) -> NotesView:
    if row is None:
        return NotesView(markdown="", html="", version=0, edited_at=None, edited_by="")
    return NotesView(
        markdown=row.markdown,
        html=safe_html(row.markdown),
        version=row.version,
        edited_at=row.edited_at,
        edited_by=row.edited_by,
    )
