"""The summary columns of a job, kept up to date by its events, so that a list of jobs needs no other table.

Worked on apart from the row and stored once a batch: setting a mapped column thousands of times a second is what would
limit ingest.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from backend.db.tables import JobRow
from tunedeck.events import EvalEvent, Event, PhaseEvent, PlanEvent, StepEvent

# Weight of the newest step: about the last 20 steps count, so that the time to go is steady and still follows.
EMA_WEIGHT = 0.1


@dataclass
class Summary:
    phase: str
    facts: dict[str, Any]
    step: int
    train_iters: int
    latest: dict[str, float | None]
    first_validation_loss: float | None
    best_validation_loss: float | None
    step_time_ema_s: float | None

    @classmethod
    def of(cls, job: JobRow) -> Summary:
        return cls(
            job.phase,
            job.facts,
            job.step,
            job.train_iters,
            dict(job.latest),
            job.first_validation_loss,
            job.best_validation_loss,
            job.step_time_ema_s,
        )

    def store(self, job: JobRow) -> None:
        for name, value in vars(self).items():
            setattr(job, name, value)

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
                self.phase = event.phase
            case PlanEvent():
                self.train_iters = event.train_iters
                self.facts = event.facts
                self.step = event.first_step - 1

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
        if self.first_validation_loss is None:
            self.first_validation_loss = loss
        if self.best_validation_loss is None or loss < self.best_validation_loss:
            self.best_validation_loss = loss
