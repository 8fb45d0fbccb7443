"""What is told of each step: the metrics of tunedeck/metrics.py and the line that a person reads in the log."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch

from tunedeck.architecture import Architecture
from tunedeck.flops import training_flops
from tunedeck.peak_rates import peak_bf16_flops
from worker.engine.data import Batch
from worker.engine.platform import Platform
from worker.engine.training.rank_readings import RankReadings
from worker.engine.training.step_clock import StepTimes


@dataclass(frozen=True)
class StepResult:
    """What the model side knows of a step; `lr` is the rate that the step used, `others` are told by their names."""

    loss: float
    grad_norm: float
    lr: float
    others: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Yardstick:
    """What the work of a step is measured by. `peak_flops` is None on a CPU and for an unknown card."""

    architecture: Architecture
    num_devices: int
    is_gpu: bool
    peak_flops: float | None

    @classmethod
    def of(cls, architecture: Architecture, platform: Platform) -> Yardstick:
        is_gpu = platform.device.type == "cuda"
        peak = peak_bf16_flops(torch.cuda.get_device_name(platform.device)) if is_gpu else None
        return cls(architecture, torch.distributed.get_world_size(), is_gpu, peak)

    def throughput(self, batch: Batch, step_time_s: float) -> dict[str, float]:
        """The group throughput: useful tokens only, so that padding makes it worse, not better."""
        tokens_per_s = batch.num_tokens / step_time_s
        told = {"tokens_per_s": tokens_per_s, "tokens_per_s_per_gpu": tokens_per_s / self.num_devices}
        if self.is_gpu:
            flops = training_flops(self.architecture, batch.work) / step_time_s / self.num_devices
            told["tflops_per_gpu"] = flops / 1e12
            if self.peak_flops:
                told["mfu"] = flops / self.peak_flops
        return told


def step_metrics(
    result: StepResult,
    batch: Batch,
    readings: RankReadings,
    times: StepTimes,
    checkpoint_time_s: float,
    yardstick: Yardstick,
) -> dict[str, float]:
    """The metrics of one step, by their names in tunedeck/metrics.py.

    `checkpoint_time_s`: for how long checkpoints have held the run up since the step before; what lies between two
    steps is no part of either.
    """
    return {
        "loss": result.loss,
        "lr": result.lr,
        "grad_norm": result.grad_norm,
        **result.others,
        **yardstick.throughput(batch, times.step_time_s),
        "step_time_s": times.step_time_s,
        "data_time_s": times.data_time_s,
        "forward_backward_time_s": times.forward_backward_time_s,
        "optimizer_time_s": times.optimizer_time_s,
        "wait_time_s": times.wait_time_s,
        "checkpoint_time_s": checkpoint_time_s,
        "num_tokens": batch.num_tokens,
        "num_trained_tokens": batch.num_trained_tokens,
        "padding_share": batch.padding_share,
        "num_microbatches": len(batch.microbatches),
        **readings.metrics(),
    }


def line(step: int, train_iters: int, metrics: dict[str, float]) -> str:
    """One step for human eyes."""
    return (
        f"step {step:>{len(str(train_iters))}}/{train_iters} | loss {metrics['loss']:.4f} | lr {metrics['lr']:.3e} | "
        f"grad norm {metrics['grad_norm']:.3f} | {metrics['tokens_per_s']:,.0f} tokens/s | "
        f"{metrics['step_time_s']:.3f} s"
    )
