"""The training loop: batch, step, events; validation, checkpoints and the stop request between steps.

It waits for nothing but data, device and the other ranks. What it tells the outside goes into the event log, which is
a file. A GPU is given the next step before the one that it is at is told of: a host that waits for the end of a step
begins the next one with no lead, and the GPU then waits for it through the first layers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from megatron.core import parallel_state
from torch import Tensor

from tunedeck.errors import LossNotFinite
from worker.engine.checkpoint.checkpoints import Checkpoints
from worker.engine.checkpoint.load import load
from worker.engine.checkpoint.state import Position
from worker.engine.data import Batch, BatchStream
from worker.engine.fp8 import FP8_METRICS
from worker.engine.tracking import Tracking
from worker.engine.training.data_parallel import gather_params, zero_gradients
from worker.engine.training.expert_losses import ExpertLosses
from worker.engine.training.forward_backward import forward_backward
from worker.engine.training.observer import StepObserver
from worker.engine.training.optimizer import learning_rate
from worker.engine.training.progress import StepResult
from worker.engine.training.rank_readings import RankReadings
from worker.engine.training.setup import Setup
from worker.engine.training.step_clock import StepClock

Outcome = Literal["succeeded", "stopped"]


@dataclass(frozen=True)
class _UnderWay:
    """A step that the device has been given, and what of it lies there until it is done."""

    step: int
    batch: Batch
    clock: StepClock
    loss: Tensor
    grad_norm: Tensor | float
    lr: float
    expert_losses: Tensor
    fp8_health: Tensor | None
    checkpoint_time_s: float


class TrainingLoop:
    """One run from its start position to its last step, or to a stop request. Every method is collective."""

    def __init__(self, setup: Setup, tracking: Tracking) -> None:
        self._setup = setup
        self._spec = setup.attempt.spec
        self._whereabouts = setup.attempt.whereabouts
        self._step = setup.start.step
        self._checkpoints = Checkpoints(setup.attempt, setup.state, setup.platform, setup.start.step)
        self._expert_losses = ExpertLosses(self._spec.experts, setup.state.chunks, setup.platform)
        self._under_way: _UnderWay | None = None
        self._evaluated_step = -1
        self._seen = setup.start.validation
        self._observer = StepObserver(setup, tracking)

    def run(self) -> Outcome:
        """Train. A stop request ends the run with a checkpoint of what has been learned so far."""
        try:
            return self._run()
        finally:
            self._checkpoints.close()

    def _run(self) -> Outcome:
        stopped = self._look_around().stop
        if not stopped and self._step == 0:
            self._evaluate()
        batches = self._setup.data.stream(self._setup.start.num_consumed_samples)
        try:
            while not stopped and not self._is_done():
                stopped = self._one_step(batches)
                if not stopped:  # a validation now could outlast the grace that the last checkpoint has
                    self._between_steps()
        finally:
            batches.close()
            self._observer.close()
        if stopped and not self._is_done():
            self._save_last()
            return "stopped"
        self._evaluate()
        self._save_last()
        return "succeeded"

    def go_back_to_best(self) -> int:
        """With `keep_best`, load the weights of the lowest validation loss; returns the step of the loaded weights."""
        if not self._spec.evaluation.keep_best or self._seen.best_step in (0, self._step):
            return self._step
        load(self._setup.state, Path(self._seen.best_path), self._setup.start.data_sha256)
        return self._seen.best_step

    def _is_done(self) -> bool:
        if self._step >= self._spec.batching.train_iters:
            return True
        return self._seen.has_run_out_of(self._spec.evaluation.early_stop_patience)

    def _one_step(self, batches: BatchStream) -> bool:
        """Give the device a step, and tell of the one before. Returns whether the run shall stop."""
        before, self._under_way = self._under_way, None
        try:
            self._under_way = self._begin(batches, before)
        except torch.OutOfMemoryError:
            self._settle(before)
            raise
        self._step += 1
        stopped = self._settle(before)
        if stopped or not self._may_run_ahead():
            stopped = self._settle(self._under_way) or stopped
            self._under_way = None
        return stopped

    def _begin(self, batches: BatchStream, before: _UnderWay | None) -> _UnderWay:
        """Forward, backward, clip, update: all of it is asked of the device, nothing waited for."""
        state, step = self._setup.state, self._step + 1
        self._whereabouts.at("waiting for data", step, is_timed=True)
        clock = self._observer.step_begins(step, before.clock if before else None)
        batch = batches.next()
        clock.mark()
        self._whereabouts.at("forward and backward", is_timed=True)
        zero_gradients(state.chunks, state.optimizer)
        self._expert_losses.begin(batch)
        loss = forward_backward(state.chunks, batch, self._setup.platform)
        expert_losses = self._expert_losses.take(batch)
        clock.mark()
        self._whereabouts.at("optimizer", is_timed=True)
        lr = learning_rate(state.optimizer)
        self._checkpoints.before_update()
        _, grad_norm, _ = state.optimizer.step()
        clock.mark()
        state.scheduler.step(1)
        held_up_s = self._checkpoints.take_held_up_s()
        return _UnderWay(step, batch, clock, loss, grad_norm, lr, expert_losses, self._observer.health(), held_up_s)

    def _may_run_ahead(self) -> bool:
        """Whether the device may be given the next step before this one is told of: not where something looks at the
        state first. Stages of a pipeline tell each other lengths by way of the host and wait there."""
        if not self._setup.platform.runs_behind or parallel_state.get_pipeline_model_parallel_world_size() > 1:
            return False
        if any(self._observer.must_see_alone(step) for step in (self._step, self._step + 1)):
            return False
        evaluation, checkpointing = self._spec.evaluation, self._spec.checkpointing
        is_looked_at = self._is_due(evaluation.eval_interval) or self._is_due(checkpointing.save_interval)
        return not (is_looked_at or self._is_first() or self._is_done())

    def _settle(self, ended: _UnderWay | None) -> bool:
        """Wait for a step and tell of it, if there is one. Returns whether the run shall stop. Raises LossNotFinite,
        always before a bad gradient can reach a checkpoint."""
        if ended is None:
            return False
        self._whereabouts.at("waiting for the device", ended.step, is_timed=True)
        result = self._result(ended)
        readings = self._look_around()
        self._observer.step_ended(ended.step, result, ended.batch, readings, ended.clock, ended.checkpoint_time_s)
        return readings.stop

    def _result(self, ended: _UnderWay) -> StepResult:
        loss, grad_norm = float(ended.loss), float(ended.grad_norm)
        self._check_finite("loss", loss, ended.step)
        self._check_finite("gradient norm", grad_norm, ended.step)
        others = self._expert_losses.told(ended.expert_losses)
        if ended.fp8_health is not None:
            others |= zip(FP8_METRICS, ended.fp8_health.tolist(), strict=True)
        return StepResult(loss, grad_norm, ended.lr, others)

    def _check_finite(self, name: str, value: float, step: int) -> None:
        if not math.isfinite(value):
            raise LossNotFinite(
                f"the {name} of step {step} is {value}",
                "lower optimizer.lr, warm up longer, or look for broken conversations in the data set",
            )

    def _between_steps(self) -> None:
        if self._is_first() and self._saves_before_the_end():
            self._checkpoints.prepare()
        if self._is_due(self._spec.evaluation.eval_interval):
            self._evaluate()
        if self._is_due(self._spec.checkpointing.save_interval):
            self._save()

    def _is_first(self) -> bool:
        return self._step == self._setup.start.step + 1

    def _is_due(self, interval: int) -> bool:
        """Whether what is done every `interval` steps, 0 for never, is done now; after the last step all is anyway."""
        return bool(interval) and self._step % interval == 0 and self._step != self._spec.batching.train_iters

    def _saves_before_the_end(self) -> bool:
        interval = self._spec.checkpointing.save_interval
        next_due = -(-self._step // interval) * interval if interval else math.inf
        return next_due < self._spec.batching.train_iters or self._spec.evaluation.keep_best

    def _evaluate(self) -> None:
        if self._evaluated_step == self._step or not self._setup.data.parts.validation:
            return
        loss = self._validation_loss()
        self._evaluated_step = self._step
        self._observer.evaluated(self._step, loss)
        if self._step > 0:
            self._judge(loss)

    def _judge(self, loss: float) -> None:
        """Keep the best state so far, and say so where the run ends for want of a better one."""
        evaluation, attempt = self._spec.evaluation, self._setup.attempt
        path = str(attempt.folder.checkpoint(self._step).absolute())
        self._seen = self._seen.after(self._step, loss, path, evaluation.early_stop_min_delta)
        if evaluation.keep_best and self._seen.best_step == self._step:
            self._checkpoints.keep(self._step)
            self._save()
        if attempt.log and self._seen.has_run_out_of(evaluation.early_stop_patience):
            attempt.log.why_it_ends = self._seen.why_it_ends(evaluation.early_stop_patience)
            print(attempt.log.why_it_ends, flush=True)

    def _validation_loss(self) -> float:
        """The mean over the validation samples, in the measure of the training loss."""
        state = self._setup.state
        gather_params(state.chunks, state.optimizer)
        for chunk in state.chunks:
            chunk.eval()
        summed = weight = 0.0
        for batch in self._setup.data.validation():
            self._whereabouts.at("validation", is_timed=True)
            loss = forward_backward(state.chunks, batch, self._setup.platform, forward_only=True)
            summed += float(loss) * batch.loss_weight
            weight += batch.loss_weight
        for chunk in state.chunks:
            chunk.train()
        return summed / weight

    def _save(self, *, is_last: bool = False) -> None:
        """Begin a checkpoint of this state, or write it, as `async_save` says."""
        self._whereabouts.at("saving")
        start, batch_size = self._setup.start, self._spec.batching.global_batch_size
        consumed = start.num_consumed_samples + batch_size * (self._step - start.step)
        gather_params(self._setup.state.chunks, self._setup.state.optimizer)
        self._checkpoints.save(Position(self._step, consumed, start.data_sha256, self._seen), is_last=is_last)

    def _save_last(self) -> None:
        """Nothing may be under way when the run ends."""
        self._setup.attempt.phase("saving")
        self._save(is_last=True)
        self._checkpoints.wait()

    def _look_around(self) -> RankReadings:
        """Only rank 0 looks for the stop file, so that all ranks stop at the same step; a checkpoint that all ranks
        have written is completed."""
        attempt = self._setup.attempt
        seen = torch.distributed.get_rank() == 0 and attempt.folder.stop_request.exists()
        readings = self._observer.gather(seen, self._checkpoints.is_writing())
        self._checkpoints.advance(readings.is_writing)
        return readings
