"""What a job becomes when its worker says how the process tree ended."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from backend.db.tables.jobs import AttemptRow, JobRow
from backend.db.tables.run_files import CheckpointRow
from backend.jobs.recovery import attempt_failed, attempt_lost, attempt_stopped
from backend.jobs.transitions import transition_all
from backend.models.service import register_export
from tunedeck.bus import ExitReport
from tunedeck.errors import EngineFailed, TunedeckError
from tunedeck.lifecycle import JobState
from tunedeck.retries import RetryPolicy
from tunedeck.views.jobs import JobFault

log = logging.getLogger(__name__)

WHO = "worker"


def end_all(
    session: Session, ended: Sequence[tuple[JobRow, AttemptRow, ExitReport]], policy: RetryPolicy, now: float
) -> None:
    """Free the devices and bring the jobs on: to their final state, to their pause, or back to the queue. They must be
    past `placing`. Those that have succeeded are told together, the few others one by one."""
    succeeded = []
    for job, attempt, report in ended:
        if report.outcome != "succeeded":
            _end(session, job, attempt, report, policy, now)
            continue
        attempt.ended_at = now
        _register_export(session, job, attempt)
        succeeded.append((job, report.message or "the engine ended well"))
    transition_all(session, succeeded, JobState.SUCCEEDED, WHO, now)


def _end(
    session: Session, job: JobRow, attempt: AttemptRow, report: ExitReport, policy: RetryPolicy, now: float
) -> None:
    match report.outcome:
        case "stopped":
            why = report.message or "the engine stopped as asked"
            attempt_stopped(session, job, attempt, WHO, why, now)
        case "failed":
            attempt_failed(session, job, attempt, fault_of(report), policy, WHO, now)
        case "fenced":
            # The worker thought itself replaced, and was not: nobody trains this job now.
            why = f"{attempt.host} gave it back: {report.message}"
            attempt_lost(session, job, attempt, why, policy, WHO, now)


def fault_of(report: ExitReport) -> JobFault:
    return JobFault(
        code=report.code or EngineFailed.code,
        message=report.message or f"the engine ended with return code {report.returncode}",
        mend=report.mend or "look at the last lines of the log",
        log_tail=report.log_tail,
        scene=report.scene,
    )


def _register_export(session: Session, job: JobRow, attempt: AttemptRow) -> None:
    """Add the export to the models. A model that cannot be registered does not make the training a failure."""
    query = (
        select(CheckpointRow.path)
        .where(
            CheckpointRow.job_id == job.id,
            CheckpointRow.attempt == attempt.number,
            CheckpointRow.format == "huggingface",
        )
        .order_by(CheckpointRow.step.desc())
    )
    path = session.scalars(query.limit(1)).one_or_none()
    if path is None:
        return
    try:
        with session.begin_nested():
            register_export(session, job, path)
    except TunedeckError as fault:
        log.error("the export of job %s was not registered as a model: %s", job.id, fault)
