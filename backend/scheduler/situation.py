"""A light look at the attempts that hold devices, and whether a job waits: enough to know if anything is to be done.

Most ticks find nothing. They must cost next to nothing, since on a laptop they take the time from the training itself;
so they read a few columns and take no write lock.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from backend.db.tables.jobs import AttemptRow, JobRow
from backend.scheduler.leases import is_over
from tunedeck.lifecycle import JobState


@dataclass(frozen=True)
class Live:
    """An attempt that holds devices. Times are unix seconds."""

    job_id: str
    state: str
    desired: str
    attempt: int
    lease_expires_at: float
    message_sent_at: float
    ingested_seq: int
    ingested_line: int


@dataclass(frozen=True)
class Situation:
    """`has_queue`: a job waits. `tried_before`: of those that do, which have had an attempt, and its number."""

    live: tuple[Live, ...]
    has_queue: bool
    tried_before: tuple[tuple[str, int], ...]

    def has_overdue(self, now: float, heard_until: float | None, patience_s: float, lease_s: float) -> bool:
        """Whether a lease is over, or a message was not taken up for `patience_s` seconds. `heard_until`: the unix time
        up to which all signs of life are stored; None while no silence means anything."""
        return any(
            (heard_until is not None and is_over(live.lease_expires_at, now, heard_until, lease_s))
            or (live.state == JobState.PLACING and now - live.message_sent_at >= patience_s)
            for live in self.live
        )


_LIVE = (
    select(
        *(JobRow.id, JobRow.state, JobRow.desired),
        *(AttemptRow.number, AttemptRow.lease_expires_at, AttemptRow.message_sent_at),
        *(AttemptRow.ingested_seq, AttemptRow.ingested_line),
    )
    .join(AttemptRow, AttemptRow.job_id == JobRow.id)
    .where(AttemptRow.ended_at.is_(None))
)
_QUEUED = select(JobRow.id, JobRow.attempt).where(JobRow.state == JobState.QUEUED.value)
_FIRST_OF_THE_QUEUE = _QUEUED.limit(1)
_TRIED_BEFORE = _QUEUED.where(JobRow.attempt > 0)


def look(session: Session) -> Situation:
    return Situation(
        live=tuple(Live(*row) for row in session.execute(_LIVE)),
        has_queue=session.execute(_FIRST_OF_THE_QUEUE).first() is not None,
        tried_before=tuple((job_id, attempt) for job_id, attempt in session.execute(_TRIED_BEFORE)),
    )
