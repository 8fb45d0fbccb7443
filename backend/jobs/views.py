"""Rows of the job tables as REST sends them out. Nothing is decided here and nothing is read from the database."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from backend.db.tables.jobs import JobRow, TransitionRow
from backend.db.tables.run_files import CheckpointRow
from backend.health import conditions
from backend.jobs.tags import tags_of
from backend.jobs.usage import Usage
from tunedeck.actions import ARCHIVABLE, ActionName, actions_in
from tunedeck.lifecycle import FINAL, HOLDS_DEVICES, Desired, JobState
from tunedeck.spec import JobSpec
from tunedeck.views.jobs import JobDetail, JobFault, JobView, TransitionView
from tunedeck.views.run_files import CheckpointView


def job_view(job: JobRow, usage: Usage) -> JobView:
    """The summary of a job. A job that waits has no host, whatever was before."""
    return JobView(**_summary(job, usage))


def job_detail(job: JobRow, usage: Usage, spec: JobSpec, transitions: Iterable[TransitionView]) -> JobDetail:
    own = {"spec": spec, "resolved": job.resolved, "facts": job.facts, "transitions": tuple(transitions)}
    return JobDetail(**_summary(job, usage), **own)


def _summary(job: JobRow, usage: Usage) -> dict[str, Any]:
    state = JobState(job.state)
    return {
        "id": job.id,
        "name": job.name,
        "state": state,
        "desired": Desired(job.desired),
        "owner": job.owner,
        "priority": job.priority,
        "actions": (*actions_in(state), *_archiving(job, state)),
        "model": job.model,
        "dataset": job.dataset,
        "attempt": job.attempt,
        "host": usage.host if state in HOLDS_DEVICES | FINAL else "",
        "next_try_at": job.not_before if state is JobState.QUEUED and job.not_before > 0 else None,
        "created_at": job.created_at,
        "started_at": job.started_at,
        "ended_at": job.ended_at,
        "phase": job.phase,
        "step": job.step,
        "train_iters": job.train_iters,
        "eta_s": eta_s(job.state, job.train_iters, job.step, job.step_time_ema_s),
        "latest": job.latest,
        "first_validation_loss": job.first_validation_loss,
        "best_validation_loss": job.best_validation_loss,
        "num_tokens": job.num_tokens,
        "num_trained_tokens": job.num_trained_tokens,
        "total_tokens": _total_tokens(job),
        "memory_capacity_bytes": usage.memory_bytes or None,
        "checkpoint_step": job.checkpoint_step,
        "checkpoint_at": job.checkpoint_at,
        "usage": usage.view(job.device),
        "conditions": conditions.of_job(job),
        "fault": JobFault.model_validate(job.fault) if job.fault else None,
        "tags": tags_of(job.tags),
        "archived_at": job.archived_at,
        "loss_curve": tuple(job.loss_curve.get("values", ())),
    }


def transition_view(row: TransitionRow) -> TransitionView:
    return TransitionView(at=row.at, from_state=row.from_state, to_state=row.to_state, who=row.who, why=row.why)


def checkpoint_view(row: CheckpointRow) -> CheckpointView:
    return CheckpointView(
        attempt=row.attempt,
        step=row.step,
        format="huggingface" if row.format == "huggingface" else "dist_checkpointing",
        path=row.path,
        size_bytes=row.size_bytes,
        created_at=row.created_at,
    )


def _archiving(job: JobRow, state: JobState) -> tuple[ActionName, ...]:
    if job.archived_at is not None:
        return ("unarchive",)
    return ("archive",) if state in ARCHIVABLE else ()


def eta_s(state: str, train_iters: int, step: int, step_time_ema_s: float | None) -> float | None:
    """Steps to go times the smoothed step time; None where the job does not train or no step is done yet."""
    if state != JobState.RUNNING or step_time_ema_s is None:
        return None
    return max(0, train_iters - step) * step_time_ema_s


def _total_tokens(job: JobRow) -> int | None:
    """Where every step still to come is as long as those so far were."""
    if not job.num_tokens or not job.step:
        return None
    return round(job.num_tokens / job.step * max(job.step, job.train_iters))
