"""Stores lines of engine.log. Lines that are there already are left out; a gap is kept open for lines sent again."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.orm import Session

from backend.db.tables.run_files import LogChunkRow
from backend.ingest.live import LiveAttempt
from backend.ingest.progress import Progress
from tunedeck.bus import LogMessage
from tunedeck.log_lines import MOST_LINES_OF_CHUNK


def store(session: Session, progress: Progress, attempt: LiveAttempt, message: LogMessage) -> None:
    known = max(0, attempt.ingested_line - message.first_line + 1)
    lines = message.lines[known:]
    if not lines:
        return
    first_line = message.first_line + known
    for at in range(0, len(lines), MOST_LINES_OF_CHUNK):
        _keep(session, attempt, first_line + at, lines[at : at + MOST_LINES_OF_CHUNK])
    if first_line == attempt.ingested_line + 1:
        progress.of_attempt(attempt, ingested_line=attempt.ingested_line + len(lines))


def _keep(session: Session, attempt: LiveAttempt, first_line: int, lines: Sequence[str]) -> None:
    session.merge(
        LogChunkRow(
            job_id=attempt.job_id,
            attempt=attempt.number,
            first_line=first_line,
            num_lines=len(lines),
            text="\n".join(lines),
        )
    )
