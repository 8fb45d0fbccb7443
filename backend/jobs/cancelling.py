"""Cancel, with a last checkpoint or without."""

from __future__ import annotations

from sqlalchemy.orm import Session

from backend.db.tables.jobs import JobRow
from backend.jobs.transitions import transition, wish
from tunedeck.lifecycle import FINAL, HOLDS_DEVICES, Desired, JobState


def cancel(session: Session, job: JobRow, checkpoint: bool, who: str, now: float) -> None:
    """Nothing for a job that has ended, or ends already; a second cancel may still decline the last checkpoint."""
    state = JobState(job.state)
    if state in FINAL:
        return
    if state not in HOLDS_DEVICES:
        job.desired = Desired.CANCEL
        transition(session, job, JobState.CANCELLED, who, f"cancelled while it was {state}", now)
    elif state is not JobState.STOPPING:
        job.desired = Desired.CANCEL if checkpoint else Desired.CANCEL_NOW
        why = "cancel was asked for" if checkpoint else "cancel without a last checkpoint was asked for"
        transition(session, job, JobState.STOPPING, who, why, now)
    elif not checkpoint and job.desired != Desired.CANCEL_NOW:
        job.desired = Desired.CANCEL_NOW
        wish(session, job, who, "shall end at once, without a last checkpoint", now)
