"""Rows of the engine itself: its own set-up, loop and events, with random weights and no checkpoint at the end."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import torch
from megatron.core.transformer.module import MegatronModule

from bench.engine.jobs import Workload, job_of
from bench.engine.levers import pulled
from bench.engine.reporting import report_cost_s
from bench.engine.row import Measured, Step
from bench.engine.trace import trace_shares
from tunedeck.architecture import Architecture
from tunedeck.resolved import ResolvedSpec
from tunedeck.run_folder import RunFolder
from worker.engine.attempt import Attempt
from worker.engine.data import Batch, BatchStream
from worker.engine.event_log import EventLog
from worker.engine.platform import activate, init_parallel, shutdown_parallel
from worker.engine.tracking import open_tracking
from worker.engine.training.loop import TrainingLoop
from worker.engine.training.observer import StepObserver
from worker.engine.training.setup import Setup, prepare
from worker.engine.weights.load import _assign
from worker.engine.whereabouts import Whereabouts


def measure_ours(work: Workload, precision: str, levers: list[str], root: Path) -> Measured:
    """Train `work` as a job would be. Collective over the ranks of torchrun."""
    spec = job_of(work, precision, levers)
    if torch.cuda.is_available():
        num_steps = spec.batching.train_iters + WatchedLoop.NUM_TRACED
        spec = spec.model_copy(update={"batching": spec.batching.model_copy(update={"train_iters": num_steps})})
    folder = RunFolder(root)
    folder.stop_request.parent.mkdir(parents=True, exist_ok=True)
    with pulled(levers), prepared(spec, folder) as (setup, steps):
        with open_tracking(spec, folder) as tracking:
            loop = WatchedLoop(setup, tracking, steps, is_traced=torch.cuda.is_available())
            loop.run()
        layout = layout_text(spec)
        peak = max(step["peak_memory_bytes"] for step, _ in steps)
    counted = steps[work.num_warm_up :][: work.num_steps]
    told = [metrics for metrics, _ in counted]
    return Measured(
        steps=[Step(told["step_time_s"], batch.work, batch.num_padded_tokens) for told, batch in counted],
        peak_bytes=peak,
        layout=layout,
        **loop.shares,
        waiting_share=sum(each["data_time_s"] + each["wait_time_s"] for each in told)
        / sum(each["step_time_s"] for each in told),
    )


def layout_text(spec: ResolvedSpec) -> str:
    layout, hardware = spec.parallelism, spec.hardware
    return (
        f"{hardware.num_devices}x{hardware.device} DP{hardware.data_parallel_size} "
        f"TP{layout.tensor_model_parallel_size} tokens{spec.batching.max_tokens_per_gpu}"
    )


Steps = list[tuple[dict[str, float], Batch]]


class WatchedLoop(TrainingLoop):
    """Keeps what was told of each step, with its batch, and ends without a checkpoint of some ten gigabytes.

    With `is_traced` the device's work in the last steps is recorded, for `shares`, and nothing of the host's: that
    would slow it down, and the device with it. They come after those that count, as launches stay slower once there
    was a recording. The engine's own profiler is not used, for it makes steps wait for each other. Only rank 0 records.
    """

    NUM_TRACED = 3

    def __init__(self, setup: Setup, tracking: Any, steps: Steps, *, is_traced: bool = False) -> None:
        super().__init__(setup, tracking)
        self._observer = KeepingObserver(setup, tracking, steps)
        self._is_traced = is_traced and torch.distributed.get_rank() == 0
        self._profiler = torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA])
        self.shares: dict[str, float] = {}

    def _one_step(self, batches: BatchStream) -> bool:
        last = self._spec.batching.train_iters
        if self._is_traced and self._step == last - self.NUM_TRACED:
            self._profiler.start()
        stopped = super()._one_step(batches)
        if self._is_traced and self._step == last:
            torch.cuda.synchronize()
            self._profiler.stop()
            trace = self._setup.attempt.folder.root / "trace.json"
            self._profiler.export_chrome_trace(str(trace))
            self.shares = trace_shares(trace)
        return stopped

    def _save_last(self) -> None:
        return


class KeepingObserver(StepObserver):
    def __init__(self, setup: Setup, tracking: Any, steps: Steps) -> None:
        super().__init__(setup, tracking)
        self._steps = steps

    def tell(self, step: int, metrics: dict[str, float], batch: Batch) -> None:
        self._steps.append((metrics, batch))
        super().tell(step, metrics, batch)


@contextmanager
def prepared(spec: ResolvedSpec, folder: RunFolder) -> Iterator[tuple[Setup, Steps]]:
    """The engine, set up with random weights; process groups are left again at the end."""
    platform = activate(spec.hardware)
    with platform.active():
        init_parallel(platform, spec.parallelism, spec.seed)
        try:
            with _event_log(folder) as log:
                yield prepare(_attempt(spec, folder, log), platform, random_weights), []
        finally:
            shutdown_parallel()


def _attempt(spec: ResolvedSpec, folder: RunFolder, log: EventLog | None) -> Attempt:
    return Attempt(spec, folder, None, log, Whereabouts(torch.distributed.get_rank()))


def _event_log(folder: RunFolder) -> AbstractContextManager[EventLog | None]:
    return EventLog(folder.events) if torch.distributed.get_rank() == 0 else nullcontext()


def measure_reporting(work: Workload, root: Path) -> dict[str, float | str]:
    """Cost of the reports of a step, and its share of a step of this very run."""
    spec = job_of(work, "bf16" if torch.cuda.is_available() else "fp32", [])
    folder = RunFolder(root)
    folder.stop_request.parent.mkdir(parents=True, exist_ok=True)
    with pulled([]), prepared(spec, folder) as (setup, steps), open_tracking(spec, folder) as tracking:
        WatchedLoop(setup, tracking, steps).run()
        cost_s = report_cost_s(setup.architecture, setup.platform, steps[-1][1], root)
        step_s = statistics.median(metrics["step_time_s"] for metrics, _ in steps[work.num_warm_up :])
    return {"what": "reporting", "report_s": cost_s, "median_step_s": step_s, "share": cost_s / step_s}


def random_weights(chunks: list[MegatronModule], architecture: Architecture, path: Path) -> None:
    """Normal with a deviation of 0.02, norms of one: made where the parameter lies, no file is read."""
    for chunk in chunks:
        for parameter in chunk.parameters():
            if parameter.dim() == 1:
                _assign(parameter, torch.ones(parameter.shape, dtype=parameter.dtype, device=parameter.device))
                continue
            _assign(parameter, torch.randn(parameter.shape, dtype=parameter.dtype, device=parameter.device) * 0.02)
