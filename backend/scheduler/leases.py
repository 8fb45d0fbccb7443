"""What becomes of a job whose attempt gave no sign of life for a whole lease, or ended without an outcome.

The caller decides whether silence means anything: while the bus is down, or ingest is behind, it means nothing.
"""

from __future__ import annotations

from sqlalchemy.orm import Session

from backend.db.tables import AttemptRow, JobRow
from backend.jobs.transitions import transition
from backend.scheduler import queries
from backend.scheduler.placement import WHO
from tunedeck.errors import HostLost
from tunedeck.lifecycle import JobState
from tunedeck.views import JobFault

CLOCK_TOLERANCE_S = 1.0


def expire(
    session: Session, now: float, heard_until: float, lease_s: float, max_attempts: int
) -> list[tuple[str, int]]:
    """End every live attempt whose lease was over at `heard_until`, the unix time up to which all signs of life are
    stored. Returns (job id, attempt) of those that must be fenced out."""
    expired = [
        (job, attempt)
        for job, attempt in queries.live_attempts(session)
        if is_over(attempt.lease_expires_at, now, heard_until, lease_s)
    ]
    for job, attempt in expired:
        why = f"{attempt.host} gave no sign of life for more than {lease_s:g} s"
        give_up(session, job, attempt, max_attempts, why, now)
    return [(job.id, attempt.number) for job, attempt in expired]


def is_over(lease_expires_at: float, now: float, heard_until: float, lease_s: float) -> bool:
    """One that ends later than any that is given now was given before the clock was set back. Whoever is alive has got
    another since, because a whole lease was listened for after that."""
    return lease_expires_at < heard_until or lease_expires_at > now + lease_s + CLOCK_TOLERANCE_S


def give_up(session: Session, job: JobRow, attempt: AttemptRow, max_attempts: int, why: str, now: float) -> None:
    """End `attempt` without an outcome: the job is cancelled if that was asked, else tried again, else failed.

    An attempt that left a checkpoint has brought the job on, so only those in a row that have not use up
    `max_attempts`: a run of weeks outlives any number of restarts, and one that always dies at the same place ends.
    """
    attempt.ended_at = now
    if job.desired == "cancel":
        if job.state != JobState.STOPPING:
            transition(session, job, JobState.STOPPING, WHO, "cancel was asked for", now)
        transition(session, job, JobState.CANCELLED, WHO, why, now)
    elif queries.num_attempts_without_progress(session, job) < max_attempts:
        transition(session, job, JobState.QUEUED, WHO, why, now)
    else:
        job.fault = _host_lost(attempt, why).model_dump(mode="json")
        transition(session, job, JobState.FAILED, WHO, why, now)


def _host_lost(attempt: AttemptRow, why: str) -> JobFault:
    fault = HostLost(
        f"attempt {attempt.number} was the last one, none of late having left a checkpoint: {why}",
        f"look at the worker on {attempt.host}, then submit the job again",
    )
    return JobFault(code=fault.code, message=fault.message, mend=fault.mend)
