"""From which checkpoint a job goes on."""

from __future__ import annotations

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from backend.db.tables.jobs import AttemptRow, JobRow
from backend.db.tables.run_files import CheckpointRow

FROM_START = "start"


def next_start(session: Session, job: JobRow) -> CheckpointRow | None:
    """Where the next attempt begins, None for the beginning: at the checkpoint that was chosen for it, else at the last
    attempt's newest, else where the last attempt itself began."""
    if job.attempt == 0 or job.resume_from == FROM_START:
        return None
    if job.resume_from and (chosen := _at(session, job, job.resume_from)):
        return chosen
    if own := newest(session, job, attempt=job.attempt):
        return own
    last = session.get(AttemptRow, (job.id, job.attempt))
    if last is None or not last.resume_from:
        return None
    # One that is gone since leaves the newest of all.
    return _at(session, job, last.resume_from) or newest(session, job)


def newest(
    session: Session, job: JobRow, *, attempt: int | None = None, step: int | None = None
) -> CheckpointRow | None:
    """The newest complete checkpoint of the job, of one attempt or of one step."""
    query = _checkpoints(job)
    if attempt is not None:
        query = query.where(CheckpointRow.attempt == attempt)
    if step is not None:
        query = query.where(CheckpointRow.step == step)
    return session.scalars(query.limit(1)).one_or_none()


def steps(session: Session, job: JobRow) -> list[int]:
    """Those that have a complete checkpoint, the newest first."""
    return list(dict.fromkeys(row.step for row in session.scalars(_checkpoints(job))))


def _at(session: Session, job: JobRow, path: str) -> CheckpointRow | None:
    return session.scalars(_checkpoints(job).where(CheckpointRow.path == path).limit(1)).one_or_none()


def _checkpoints(job: JobRow) -> Select[CheckpointRow]:
    mine = (CheckpointRow.job_id == job.id, CheckpointRow.format == "dist_checkpointing")
    return select(CheckpointRow).where(*mine).order_by(CheckpointRow.attempt.desc(), CheckpointRow.step.desc())
