"""SQL of engine logs. Chunks may overlap where lines were sent twice; then the later chunk is taken.

Where a chunk may begin that holds a line follows from how long chunks are at most, so that no query looks at all of a
long log's chunks: they are found by where they begin, and those of a million lines are thousands.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from backend.db.tables.jobs import JobRow
from backend.db.tables.run_files import LogChunkRow
from tunedeck.log_lines import MOST_LINES_OF_CHUNK


def newest_attempt(session: Session, job_id: str) -> int | None:
    """0: never placed. None: there is no such job."""
    return session.scalar(select(JobRow.attempt).where(JobRow.id == job_id))


def num_lines(session: Session, job_id: str, attempt: int) -> int:
    """The number of the last line that is stored."""
    is_of_log = (LogChunkRow.job_id == job_id, LogChunkRow.attempt == attempt)
    newest = select(func.max(LogChunkRow.first_line)).where(*is_of_log).scalar_subquery()
    last_of_chunk = func.max(LogChunkRow.first_line + LogChunkRow.num_lines - 1)
    query = select(last_of_chunk).where(*is_of_log, LogChunkRow.first_line > newest - MOST_LINES_OF_CHUNK)
    return session.scalar(query) or 0


def lines(
    session: Session,
    job_id: str,
    attempt: int,
    first_line: int,
    last_line: int,
    is_wanted: Callable[[str], bool] = lambda text: True,
) -> dict[int, str]:
    """By number, counted from 1: those of `first_line` to `last_line`, both included, that are stored; in order.
    Chunks whose whole text is not wanted are left out."""
    last_of_chunk = LogChunkRow.first_line + LogChunkRow.num_lines - 1
    query = (
        select(LogChunkRow)
        .where(LogChunkRow.job_id == job_id, LogChunkRow.attempt == attempt)
        .where(LogChunkRow.first_line > first_line - MOST_LINES_OF_CHUNK)
        .where(LogChunkRow.first_line <= last_line, last_of_chunk >= first_line)
        .order_by(LogChunkRow.first_line)
    )
    found: dict[int, str] = {}
    for chunk in session.scalars(query):
        if is_wanted(chunk.text):
            found.update(enumerate(chunk.text.split("\n"), chunk.first_line))
    return {number: found[number] for number in sorted(found) if first_line <= number <= last_line}
