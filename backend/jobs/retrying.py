"""A user's retry: the same job goes back to the queue, and a new attempt goes on from a checkpoint.

A new job for each retry was rejected: curve, history and checkpoints of one training would lie on several pages, and a
request that is sent twice would make two.
"""

from __future__ import annotations

from sqlalchemy.orm import Session

from backend.db.tables.datasets import DatasetRow
from backend.db.tables.jobs import AttemptRow, JobRow
from backend.jobs import checkpoints
from backend.jobs.checkpoints import FROM_START
from backend.jobs.readable import require_readable
from backend.jobs.refusals import refused
from backend.jobs.transitions import transition
from tunedeck.actions import APPLIES_TO, Retry
from tunedeck.errors import Conflict, NotFound
from tunedeck.lifecycle import WAITS_OR_RUNS, JobState


def retry(session: Session, job: JobRow, asked: Retry, who: str, now: float) -> None:
    """Nothing for a job that waits or runs from where was asked. Raises Conflict or NotFound (no such checkpoint)."""
    state = JobState(job.state)
    if state in APPLIES_TO["retry"]:
        require_readable(job)
        _require_datasets(session, job)
        job.resume_from, where = _start(session, job, asked)
        job.not_before, job.num_failures = 0.0, 0
        transition(session, job, JobState.QUEUED, who, f"retry was asked for, {where}", now)
    elif not _is_retried(session, job, asked):
        raise refused(job, "retry")


def _is_retried(session: Session, job: JobRow, asked: Retry) -> bool:
    """Whether the job waits or runs already as the retry would have it."""
    state = JobState(job.state)
    if state not in WAITS_OR_RUNS:
        return False
    if asked.step is None:
        return True
    start, _ = _start(session, job, asked)
    if state is JobState.QUEUED:
        return job.resume_from == start
    attempt = session.get_one(AttemptRow, (job.id, job.attempt))
    return attempt.resume_from == ("" if start == FROM_START else start)


def _start(session: Session, job: JobRow, asked: Retry) -> tuple[str, str]:
    """What `resume_from` becomes, and the same in words."""
    if asked.step is None:
        found = checkpoints.next_start(session, job)
        return "", f"from the checkpoint of step {found.step:,}" if found else "from the beginning"
    if asked.step == 0:
        return FROM_START, "from the beginning"
    found = checkpoints.newest(session, job, attempt=asked.attempt, step=asked.step)
    if found is None:
        of_attempt = f" of attempt {asked.attempt}" if asked.attempt else ""
        there = ", ".join(map(str, checkpoints.steps(session, job))) or "none"
        message = f"{job.name} has no complete checkpoint of step {asked.step}{of_attempt}"
        raise NotFound(message, f"steps with a checkpoint: {there}; 0 is the beginning")
    return found.path, f"from the checkpoint of step {found.step:,} of attempt {found.attempt}"


def _require_datasets(session: Session, job: JobRow) -> None:
    for dataset_id in filter(None, (job.dataset_id, job.validation_dataset_id)):
        dataset = session.get(DatasetRow, dataset_id)
        if dataset is None:
            raise Conflict(f"a data set of {job.name} has been deleted for good", "register it again and clone the job")
        if dataset.trashed_at is not None:
            raise Conflict(f"the data set {dataset.name!r} lies in the trash", "restore it, then retry")
