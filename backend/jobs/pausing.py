"""Pause, resume, and the pause that makes room for a more important job.

A pause asks the attempt for a checkpoint and its end, which takes as long as that takes: the job is `pausing` until the
worker has said that every process is gone. It then waits as `paused`, or goes back to the queue by itself.
"""

from __future__ import annotations

from sqlalchemy.orm import Session

from backend.db.tables.jobs import JobRow
from backend.jobs.readable import require_readable
from backend.jobs.refusals import refused
from backend.jobs.transitions import transition, wish
from tunedeck.actions import APPLIES_TO
from tunedeck.lifecycle import WAITS_OR_RUNS, Desired, JobState


def pause(session: Session, job: JobRow, who: str, now: float) -> None:
    """Nothing for a job that is paused or about to be; Conflict for one that has no devices to give back."""
    state = JobState(job.state)
    if job.desired == Desired.PAUSE:
        return
    if state is JobState.PAUSING:
        job.desired = Desired.PAUSE
        wish(session, job, who, "shall stay paused", now)
        return
    if state not in APPLIES_TO["pause"]:
        raise refused(job, "pause")
    job.desired = Desired.PAUSE
    transition(session, job, JobState.PAUSING, who, "pause was asked for", now)


def preempt(session: Session, job: JobRow, why: str, now: float) -> None:
    """Pause a job that holds devices so that it goes back to the queue by itself, with a checkpoint.

    For the scheduler, inside its writing transaction; `why` is shown to the user. Nothing for a job that is on its way
    out already, by whatever reason. Its devices are free when its attempt's `ended_at` is set, at the latest after the
    worker's stop_grace_s.
    """
    if job.state not in APPLIES_TO["pause"]:
        return
    job.desired = Desired.REQUEUE
    transition(session, job, JobState.PAUSING, "scheduler", why, now)


def resume(session: Session, job: JobRow, who: str, now: float) -> None:
    """Nothing for a job that waits or runs; one that is still pausing will go back to the queue when it has paused."""
    state = JobState(job.state)
    if state is JobState.PAUSED:
        require_readable(job)
        job.not_before, job.num_failures = 0.0, 0
        transition(session, job, JobState.QUEUED, who, "resume was asked for", now)
    elif state is JobState.PAUSING:
        if job.desired == Desired.PAUSE:
            job.desired = Desired.REQUEUE
            wish(session, job, who, "resume was asked for; it goes back to the queue when it has paused", now)
    elif state not in WAITS_OR_RUNS:
        raise refused(job, "resume")
