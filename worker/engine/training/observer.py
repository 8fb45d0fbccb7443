"""What watches a step and tells of it: clock, readings of the ranks, FP8 proof, tracking, event and log line.

The loop trains; this looks on. It waits for the device once for each step, when the loop has given it the next one.
"""

from __future__ import annotations

import torch

from worker.engine.data import Batch
from worker.engine.fp8 import Fp8Proof, fp8_health
from worker.engine.platform import open_monitor
from worker.engine.tracking import Tracking
from worker.engine.training import progress
from worker.engine.training.progress import StepResult, Yardstick
from worker.engine.training.rank_readings import RankReadings, gather, host_group
from worker.engine.training.setup import Setup
from worker.engine.training.step_clock import StepClock


class StepObserver:
    """For each step `step_begins`, `health` when the device has been given all of it, `gather`, `step_ended`."""

    def __init__(self, setup: Setup, tracking: Tracking) -> None:
        self._setup = setup
        self._log = setup.attempt.log
        self._tracking = tracking
        self._yardstick = Yardstick.of(setup.architecture, setup.platform)
        self._monitor = open_monitor(setup.platform.device)
        self._proof = Fp8Proof(setup.attempt, setup.state.chunks)
        self._group = host_group(setup.platform)

    def step_begins(self, step: int, before: StepClock | None) -> StepClock:
        """`before`: the clock of the step that the device is still at, if it is."""
        self._tracking.step_begins(step)
        self._proof.step_begins(is_profiled=self._tracking.window.covers(step))
        return StepClock(self._setup.platform, before)

    def must_see_alone(self, step: int) -> bool:
        """Whether this step is looked at so closely that no other may be under way. The same on all ranks, though
        one alone looks."""
        return self._proof.is_wanted or self._tracking.window.covers(step)

    def health(self) -> torch.Tensor | None:
        """How well the FP8 scales fit now, on the device."""
        fp8 = self._setup.attempt.spec.precision.fp8_format
        return fp8_health(self._setup.state.chunks, is_hybrid=fp8 == "hybrid") if fp8 != "none" else None

    def gather(self, stop: bool, is_writing: bool) -> RankReadings:
        """Collective."""
        device = self._monitor.latest if self._monitor else None
        return gather(stop, is_writing, device, self._setup.platform, self._group)

    def step_ended(
        self,
        step: int,
        result: StepResult,
        batch: Batch,
        readings: RankReadings,
        clock: StepClock,
        checkpoint_time_s: float,
    ) -> None:
        """Raises Fp8NotEngaged after the first step of a run that asked for FP8 in vain."""
        metrics = progress.step_metrics(result, batch, readings, clock.times(), checkpoint_time_s, self._yardstick)
        self.tell(step, metrics, batch)
        self._proof.step_ended(step)

    def tell(self, step: int, metrics: dict[str, float], batch: Batch) -> None:
        """Hand the metrics of a step to all that keep them. `batch` is for who counts more than we do."""
        if self._log:
            self._log.step(step, metrics)
            print(progress.line(step, self._setup.attempt.spec.batching.train_iters, metrics), flush=True)
        self._tracking.step_ended(step, metrics)

    def evaluated(self, step: int, loss: float) -> None:
        if self._log:
            self._log.eval(step, {"validation_loss": loss})
            print(f"step {step} | validation loss {loss:.4f}", flush=True)
        self._tracking.evaluated(step, {"validation_loss": loss})

    def close(self) -> None:
        if self._monitor:
            self._monitor.close()
