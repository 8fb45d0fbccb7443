"""Tells listeners how a job that trains stands: at most once a second where anybody listens, and always
what it came to in the end.

One `job` event per step was rejected: the steps are in the feed already, and the view of a job is ten times as large.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from sqlalchemy import select
from sqlalchemy.orm import Session, defer

from backend.db.tables.jobs import JobRow
from backend.ingest.batch import Batch
from backend.jobs.transitions import announce_all

INTERVAL_S = 1.0
# While nobody listens to this backend's feed; the listeners of another one still hear how things go.
UNWATCHED_INTERVAL_S = 10.0


class Announcements:
    def __init__(self, is_watched: Callable[[], bool]) -> None:
        self._is_watched = is_watched
        self._told_at: dict[str, float] = {}
        self._waiting: set[str] = set()

    def are_due(self) -> bool:
        return any(self._is_due(job_id) for job_id in self._waiting)

    def write(self, session: Session, batch: Batch) -> set[str]:
        """Announce the changed jobs whose turn it is; returns their ids. Nothing is remembered before the commit."""
        changed = (self._waiting | batch.changed_jobs) - batch.announced_jobs
        due = {job_id for job_id in changed if self._is_due(job_id)}
        light = select(JobRow).options(defer(JobRow.spec), defer(JobRow.resolved))
        # The batch has written past the session, which may have loaded some of them before.
        light = light.execution_options(populate_existing=True)
        if due:
            announce_all(session, session.scalars(light.where(JobRow.id.in_(due))).all(), time.time())
        return due

    def remember(self, announced: set[str], batch: Batch) -> None:
        now = time.monotonic()
        told = announced | batch.announced_jobs
        self._waiting = (self._waiting | batch.changed_jobs) - told
        self._told_at = {job_id: at for job_id, at in self._told_at.items() if now - at < UNWATCHED_INTERVAL_S}
        self._told_at.update(dict.fromkeys(told, now))

    def _is_due(self, job_id: str) -> bool:
        interval_s = INTERVAL_S if self._is_watched() else UNWATCHED_INTERVAL_S
        return time.monotonic() - self._told_at.get(job_id, -UNWATCHED_INTERVAL_S) >= interval_s
