"""A window of a job's engine.log, of its newest attempt."""

from __future__ import annotations

from backend.db.database import Database
from backend.db.known_jobs import no_such_job
from backend.logs import queries
from tunedeck.views import LogsView

# Shown in place of lines that the bus lost and that are on their way again.
MISSING = "…"


def logs(database: Database, job_id: str, first_line: int, limit: int) -> LogsView:
    """At most `limit` lines from `first_line` on, counted from 1; -10 means the last ten. Raises NotFound."""
    with database.reading() as session:
        attempt = queries.newest_attempt(session, job_id)
        if attempt is None:
            raise no_such_job(job_id)
        num_lines = queries.num_lines(session, job_id, attempt)
        first = max(1, num_lines + first_line + 1 if first_line < 0 else first_line)
        last = min(num_lines, first + limit - 1)
        found = queries.lines(session, job_id, attempt, first, last)
    lines = tuple(found.get(number, MISSING) for number in range(first, last + 1))
    return LogsView(attempt=attempt, first_line=first, lines=lines, num_lines=num_lines)
