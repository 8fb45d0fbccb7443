"""Keeps the table of checkpoints as the engine reports them: complete ones only, under their absolute paths."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy.orm import Session

from backend.db.tables.run_files import CheckpointRow
from backend.ingest.live import LiveAttempt
from tunedeck.events import CheckpointEvent, CheckpointRemovedEvent


def store(session: Session, attempt: LiveAttempt, run_folder: Path, event: CheckpointEvent) -> None:
    session.merge(
        CheckpointRow(
            job_id=attempt.job_id,
            attempt=attempt.number,
            path=str(run_folder / event.path),
            step=event.step,
            format=event.format,
            size_bytes=event.size_bytes,
            created_at=event.t,
        )
    )


def remove(session: Session, attempt: LiveAttempt, run_folder: Path, event: CheckpointRemovedEvent) -> None:
    key = (attempt.job_id, attempt.number, str(run_folder / event.path))
    if row := session.get(CheckpointRow, key):
        session.delete(row)
