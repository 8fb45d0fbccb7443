"""What becomes of a job whose attempt gave no sign of life for a whole lease.

The caller decides whether silence means anything: while the bus is down, or ingest is behind, it means nothing.
"""

from __future__ import annotations

from sqlalchemy.orm import Session

from backend.jobs.recovery import attempt_lost
from backend.scheduler import queries
from tunedeck.retries import RetryPolicy

WHO = "scheduler"
CLOCK_TOLERANCE_S = 1.0


def expire(
    session: Session, now: float, heard_until: float, lease_s: float, policy: RetryPolicy
) -> list[tuple[str, int]]:
    """End every live attempt whose lease was over at `heard_until`, the unix time up to which all signs of life are
    stored. Returns (job id, attempt) of those that must be fenced out."""
    over = [
        key for key, expires_at in queries.leases(session).items() if is_over(expires_at, now, heard_until, lease_s)
    ]
    expired = queries.attempts(session, over)
    for job, attempt in expired:
        why = f"{attempt.host} gave no sign of life for more than {lease_s:g} s"
        attempt_lost(session, job, attempt, why, policy, WHO, now)
    return [(job.id, attempt.number) for job, attempt in expired]


def is_over(lease_expires_at: float, now: float, heard_until: float, lease_s: float) -> bool:
    """One that ends later than any that is given now was given before the clock was set back. Whoever is alive has got
    another since, because a whole lease was listened for after that."""
    return lease_expires_at < heard_until or lease_expires_at > now + lease_s + CLOCK_TOLERANCE_S
