"""What is measured of each step: the metrics of tunedeck/metrics.py and the line that a person reads in the log."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from worker.engine.data import Batch
from worker.engine.platform import Platform


@dataclass(frozen=True)
class StepResult:
    """What the model side knows of a step; `lr` is the rate that the step used."""

    loss: float
    grad_norm: float
    lr: float


@dataclass(frozen=True)
class StepTimes:
    """Seconds: the whole step; in it, waiting for data; since the step before, held up by checkpoints (what lies
    between the two steps is not part of either)."""

    step_time_s: float
    data_time_s: float
    checkpoint_time_s: float


@dataclass(frozen=True)
class RankReport:
    """The largest of each over all ranks, whether rank 0 has seen a stop request, and whether any rank still writes a
    checkpoint."""

    stop: bool
    is_writing: bool
    memory_bytes: int
    peak_memory_bytes: int


def gather(stop: bool, is_writing: bool, platform: Platform) -> RankReport:
    """One small all-reduce a step: all ranks learn the same decision and the largest memory. Collective."""
    memory, peak = platform.memory_bytes()
    numbers = torch.tensor(
        [float(stop), float(is_writing), float(memory), float(peak)], dtype=torch.float64, device=platform.device
    )
    if torch.distributed.get_world_size() > 1:
        torch.distributed.all_reduce(numbers, op=torch.distributed.ReduceOp.MAX)
    stop_all, writing, memory_max, peak_max = numbers.tolist()
    # Linux counts the peak in coarser steps than the present size.
    return RankReport(bool(stop_all), bool(writing), int(memory_max), int(max(memory_max, peak_max)))


def step_metrics(result: StepResult, batch: Batch, report: RankReport, times: StepTimes) -> dict[str, float]:
    """The metrics of one step, by their names in tunedeck/metrics.py."""
    return {
        "loss": result.loss,
        "lr": result.lr,
        "grad_norm": result.grad_norm,
        "tokens_per_s": batch.num_tokens / times.step_time_s,
        "step_time_s": times.step_time_s,
        "data_time_s": times.data_time_s,
        "checkpoint_time_s": times.checkpoint_time_s,
        "num_tokens": batch.num_tokens,
        "num_trained_tokens": batch.num_trained_tokens,
        "padding_share": batch.padding_share,
        "num_microbatches": len(batch.microbatches),
        "memory_bytes": report.memory_bytes,
        "peak_memory_bytes": report.peak_memory_bytes,
    }


def line(step: int, train_iters: int, metrics: dict[str, float]) -> str:
    """One step for human eyes."""
    return (
        f"step {step:>{len(str(train_iters))}}/{train_iters} | loss {metrics['loss']:.4f} | lr {metrics['lr']:.3e} | "
        f"grad norm {metrics['grad_norm']:.3f} | {metrics['tokens_per_s']:,.0f} tokens/s | "
        f"{metrics['step_time_s']:.3f} s"
    )
