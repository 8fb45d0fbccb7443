"""The summary columns of a job, kept up to date by its events, so that a list of jobs needs no other table.

Worked on apart from the row and stored once a batch.
"""

from __future__ import annotations

import math
from typing import Any

from backend.ingest.live import LiveJob
from backend.ingest.loss_curve import LossCurve
from backend.ingest.progress import Progress
from tunedeck.events import CheckpointEvent, EvalEvent, Event, PhaseEvent, PlanEvent, StepEvent

# Weight of the newest step: about the last 20 steps count, so that the time to go is steady and still follows.
EMA_WEIGHT = 0.1


class Summary:
    """`store` gives Progress what has changed."""

    def __init__(self, job: LiveJob) -> None:
        self.step = job.step
        self.latest: dict[str, float | None] = dict(job.latest)
        self.step_time_ema_s = job.step_time_ema_s
        self.num_tokens = job.num_tokens
        self.num_trained_tokens = job.num_trained_tokens
        self._first_validation_loss = job.first_validation_loss
        self._best_validation_loss = job.best_validation_loss
        self.loss_curve = LossCurve(job.loss_curve)
        self._seldom: dict[str, Any] = {}

    def store(self, job: LiveJob, progress: Progress) -> None:
        if self._seldom:
            progress.seldom_of_job(job, **self._seldom)
        progress.of_job(
            job,
            step=self.step,
            latest=self.latest,
            step_time_ema_s=self.step_time_ema_s,
            num_tokens=self.num_tokens,
            num_trained_tokens=self.num_trained_tokens,
            loss_curve=self.loss_curve.as_stored(),
        )

    def apply(self, event: Event) -> None:
        match event:
            case StepEvent():
                self.step = event.step
                self.latest.update(event.metrics)
                self._average_step_time(event.metrics.get("step_time_s"))
            case EvalEvent():
                self.latest.update(event.metrics)
                self._compare_validation_loss(event.metrics.get("validation_loss"))
            case PhaseEvent():
                self._seldom["phase"] = event.phase
            case PlanEvent():
                self._seldom |= {"train_iters": event.train_iters, "facts": event.facts}
                self.step = event.first_step - 1
                self.loss_curve.cut_from(event.first_step)
            case CheckpointEvent(format="dist_checkpointing"):
                self._seldom |= {"checkpoint_step": event.step, "checkpoint_at": event.t}

    def begin_with(self, num_tokens: int, num_trained_tokens: int) -> None:
        """The tokens of the steps before the first one of an attempt."""
        self.num_tokens, self.num_trained_tokens = num_tokens, num_trained_tokens

    def count(self, event: Event) -> None:
        """Add the loss and the tokens of a step, once. Of a job that an older version began the tokens are counted from
        its next attempt on."""
        if not isinstance(event, StepEvent):
            return
        self.loss_curve.add(event.step, event.metrics.get("loss"))
        if self.num_tokens is None or self.num_trained_tokens is None:
            return
        self.num_tokens += int(event.metrics.get("num_tokens") or 0)
        self.num_trained_tokens += int(event.metrics.get("num_trained_tokens") or 0)

    def _average_step_time(self, step_time_s: float | None) -> None:
        if step_time_s is None:
            return
        if self.step_time_ema_s is None:
            self.step_time_ema_s = step_time_s
        else:
            self.step_time_ema_s += EMA_WEIGHT * (step_time_s - self.step_time_ema_s)

    def _compare_validation_loss(self, loss: float | None) -> None:
        if loss is None or not math.isfinite(loss):
            return
        if self._first_validation_loss is None:
            self._first_validation_loss = self._seldom["first_validation_loss"] = loss
        if self._best_validation_loss is None or loss < self._best_validation_loss:
            self._best_validation_loss = self._seldom["best_validation_loss"] = loss
