"""Whether this version can read the spec that another one has resolved.

A job that cannot be read must not get into the queue, where it would stop the placement of all others. Resolving it
again was rejected: a new default could change what is trained without a word.
"""

from __future__ import annotations

from pydantic import ValidationError

from backend.db.tables.jobs import JobRow
from tunedeck.errors import Conflict
from tunedeck.resolved import ResolvedSpec

MEND = "clone it and start the clone: the form then shows what the new version makes of it"


def unreadable(job: JobRow) -> str:
    """What this version misses in the stored spec, as a sentence; "" where it can read it all."""
    try:
        ResolvedSpec.model_validate(job.resolved)
    except ValidationError as fault:
        first = fault.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        return f"it was taken by another version of Tunedeck: {where}: {first['msg'].lower()}"
    return ""


def require_readable(job: JobRow) -> None:
    """Raise Conflict for a job that this version cannot run."""
    if missing := unreadable(job):
        raise Conflict(f"job {job.id} cannot go on: {missing}", MEND)
