"""The training loop: batch, step, events; validation, checkpoints and the stop request between steps.

It waits for nothing but data, device and the other ranks. What it tells the outside goes into the event log, which is
a file.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Literal

import torch

from tunedeck.errors import LossNotFinite
from worker.engine.checkpoint.checkpoints import Checkpoints
from worker.engine.checkpoint.load import load
from worker.engine.checkpoint.state import Position
from worker.engine.data import Batch, BatchStream
from worker.engine.tracking import Tracking
from worker.engine.training.data_parallel import gather_params, zero_gradients
from worker.engine.training.expert_losses import ExpertLosses
from worker.engine.training.forward_backward import forward_backward
from worker.engine.training.observer import StepObserver
from worker.engine.training.optimizer import learning_rate
from worker.engine.training.progress import StepResult
from worker.engine.training.rank_readings import RankReadings
from worker.engine.training.setup import Setup

Outcome = Literal["succeeded", "stopped"]


class TrainingLoop:
    """One run from its start position to its last step, or to a stop request. Every method is collective."""

    def __init__(self, setup: Setup, tracking: Tracking) -> None:
        self._setup = setup
        self._spec = setup.attempt.spec
        self._whereabouts = setup.attempt.whereabouts
        self._step = setup.start.step
        self._checkpoints = Checkpoints(setup.attempt, setup.state, setup.platform, setup.start.step)
        self._expert_losses = ExpertLosses(self._spec.experts, setup.state.chunks, setup.platform)
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
        """Returns whether the run shall stop."""
        self._whereabouts.at("waiting for data", self._step + 1, is_timed=True)
        self._observer.step_begins(self._step + 1)
        batch = batches.next()
        self._observer.mark()
        result = self._update(batch)
        readings = self._look_around()
        self._step += 1
        self._observer.step_ended(self._step, result, batch, readings, self._checkpoints.take_held_up_s())
        return readings.stop

    def _update(self, batch: Batch) -> StepResult:
        """Forward, backward, clip, update. Raises LossNotFinite before a bad gradient can reach a checkpoint."""
        state = self._setup.state
        self._whereabouts.at("forward and backward", is_timed=True)
        zero_gradients(state.chunks, state.optimizer)
        self._expert_losses.begin(batch)
        summed_loss = forward_backward(state.chunks, batch, self._setup.platform)
        expert_losses = self._expert_losses.take(batch)
        self._observer.mark()
        self._whereabouts.at("optimizer", is_timed=True)
        lr = learning_rate(state.optimizer)
        self._checkpoints.before_update()
        _, grad_norm, _ = state.optimizer.step()
        self._observer.mark()
        # Only now: to read it before the optimizer has been given its work would leave the device idle.
        loss = float(summed_loss)
        self._check_finite("loss", loss)
        self._check_finite("gradient norm", float(grad_norm))
        state.scheduler.step(1)
        return StepResult(loss, float(grad_norm), lr, self._expert_losses.told(expert_losses))

    def _check_finite(self, name: str, value: float) -> None:
        if not math.isfinite(value):
            raise LossNotFinite(
                f"the {name} of step {self._step + 1} is {value}",
                "lower optimizer.lr, warm up longer, or look for broken conversations in the data set",
            )

    def _between_steps(self) -> None:
        evaluation, checkpointing = self._spec.evaluation, self._spec.checkpointing
        is_last = self._step == self._spec.batching.train_iters
        if self._step == self._setup.start.step + 1 and self._saves_before_the_end():
            self._checkpoints.prepare()
        if evaluation.eval_interval and self._step % evaluation.eval_interval == 0 and not is_last:
            self._evaluate()
        if checkpointing.save_interval and self._step % checkpointing.save_interval == 0 and not is_last:
            self._save()

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
