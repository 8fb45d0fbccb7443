"""Adds tags to a job and removes others."""

from __future__ import annotations

from sqlalchemy.orm import Session

from backend.db.tables.jobs import JobRow
from backend.jobs.tags import stored_tags, tags_of
from backend.jobs.transitions import wish
from tunedeck.actions import MAX_TAGS, Tag
from tunedeck.errors import Conflict


def change_tags(session: Session, job: JobRow, asked: Tag, who: str, now: float) -> None:
    """Nothing where the job has those tags and lacks the others. Raises Conflict where it would get too many."""
    before = set(tags_of(job.tags))
    after = (before | set(asked.add)) - set(asked.remove)
    if after == before:
        return
    if len(after) > MAX_TAGS:
        raise Conflict(f"the run would have {len(after)} tags", f"remove some: a run has at most {MAX_TAGS}")
    job.tags = stored_tags(after)
    changes = [*(f"+{tag}" for tag in sorted(after - before)), *(f"−{tag}" for tag in sorted(before - after))]
    wish(session, job, who, f"tags: {', '.join(changes)}", now)
