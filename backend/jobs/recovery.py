"""What becomes of a job whose attempt has ended without finishing it: what was asked for, another try, or failure.

What a user asked for goes first: a job that shall be paused or cancelled is so, however its attempt ended, unless it
ended by a fault of the job itself, which nobody should overlook.
"""

from __future__ import annotations

from sqlalchemy.orm import Session

from backend.db.tables.jobs import AttemptRow, JobRow
from backend.jobs import checkpoints
from backend.jobs.readable import MEND, unreadable
from backend.jobs.transitions import transition
from tunedeck.errors import HostLost, SpecInvalid
from tunedeck.lifecycle import Desired, JobState
from tunedeck.retries import RETRIED, RetryPolicy
from tunedeck.views.jobs import JobFault


def attempt_stopped(session: Session, job: JobRow, attempt: AttemptRow, who: str, why: str, now: float) -> None:
    """The attempt has ended because it was asked to. Times are unix seconds, here and below."""
    attempt.ended_at = now
    match Desired(job.desired):
        case Desired.PAUSE:
            _over(session, job, JobState.PAUSING, JobState.PAUSED, who, why, now)
        case Desired.REQUEUE:
            _queue(session, job, who, why, now)
        case _:  # RUN: somebody asked the engine itself, by its stop file
            _over(session, job, JobState.STOPPING, JobState.CANCELLED, who, why, now)


def attempt_failed(
    session: Session, job: JobRow, attempt: AttemptRow, fault: JobFault, policy: RetryPolicy, who: str, now: float
) -> None:
    """The attempt has ended by a fault: the job is tried again where the reason allows it, else it has failed.

    An attempt that left a checkpoint has brought the job on, so only those in a row that have not use up the tries: a
    run of weeks outlives any number of restarts, and one that always dies at the same place ends.
    """
    attempt.ended_at = now
    if fault.code not in RETRIED:
        _fail(session, job, fault, who, now)
    elif job.desired != Desired.RUN:
        attempt_stopped(session, job, attempt, who, fault.message, now)
    else:
        _try_again(session, job, attempt, fault, policy, who, now)


def attempt_lost(
    session: Session, job: JobRow, attempt: AttemptRow, why: str, policy: RetryPolicy, who: str, now: float
) -> None:
    """Nobody has said how the attempt ended."""
    mend = f"look at the worker on {attempt.host}, then retry the job"
    attempt_failed(session, job, attempt, JobFault(code=HostLost.code, message=why, mend=mend), policy, who, now)


def _try_again(
    session: Session, job: JobRow, attempt: AttemptRow, fault: JobFault, policy: RetryPolicy, who: str, now: float
) -> None:
    has_progressed = checkpoints.newest(session, job, attempt=attempt.number) is not None
    job.num_failures = 0 if has_progressed else job.num_failures + 1
    most = job.max_attempts or policy.max_attempts
    if job.num_failures >= most:
        last = f"attempt {attempt.number} was the last one, none of late having left a checkpoint: {fault.message}"
        _fail(session, job, fault.model_copy(update={"message": last}), who, now)
        return
    delay_s = policy.delay_s(job.num_failures)
    job.not_before = now + delay_s
    tried = f", failure {job.num_failures} of at most {most - 1} without a new checkpoint" if job.num_failures else ""
    _queue(session, job, who, f"{fault.message}; tried again in {delay_s:g} s{tried}", now)


def _queue(session: Session, job: JobRow, who: str, why: str, now: float) -> None:
    if missing := unreadable(job):
        _fail(session, job, JobFault(code=SpecInvalid.code, message=f"{why}; {missing}", mend=MEND), who, now)
        return
    transition(session, job, JobState.QUEUED, who, why, now)


def _fail(session: Session, job: JobRow, fault: JobFault, who: str, now: float) -> None:
    job.fault = fault.model_dump(mode="json")
    transition(session, job, JobState.FAILED, who, fault.message, now)


def _over(session: Session, job: JobRow, via: JobState, to: JobState, who: str, why: str, now: float) -> None:
    if job.state != via:
        transition(session, job, via, who, "the attempt was asked to end", now)
    transition(session, job, to, who, why, now)
