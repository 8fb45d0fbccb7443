"""The names of what is measured at each step, with title and unit: one list for engine, API and charts.

What a machine cannot tell (power on a CPU, utilisation of an unknown card) is absent from the step, never zero. With
several ranks each rank's memory is told, too, under the name of the metric and the rank: `memory_bytes.rank3`.

What follows from other points (DERIVED) is told by nobody: the backend counts it when it is asked for.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Metric:
    name: str
    title: str
    unit: str
    group: str


CATALOGUE: tuple[Metric, ...] = (
    Metric("loss", "Training loss", "nats per trained token", "training"),
    Metric("validation_loss", "Validation loss", "nats per trained token", "training"),
    Metric("lr", "Learning rate", "", "training"),
    Metric("grad_norm", "Gradient norm", "", "training"),
    Metric("load_balancing_loss", "Experts: uneven load, 1 is even, mean of layers", "", "experts"),
    Metric("z_loss", "Experts: squared size of the router's logits, mean of layers", "", "experts"),
    Metric("tokens_per_s", "Throughput", "tokens/s", "throughput"),
    Metric("tokens_per_s_per_gpu", "Throughput per device", "tokens/s", "throughput"),
    Metric("tflops_per_gpu", "Model FLOP/s per GPU", "TFLOP/s", "throughput"),
    Metric("mfu", "Model FLOP utilisation, of the dense BF16 peak", "", "throughput"),
    Metric("step_time_s", "Step time", "s", "step time"),
    Metric("data_time_s", "Waiting for data", "s", "step time"),
    Metric("forward_backward_time_s", "Forward and backward", "s", "step time"),
    Metric("optimizer_time_s", "Optimizer", "s", "step time"),
    Metric("wait_time_s", "Other ranks and reporting", "s", "step time"),
    Metric("checkpoint_time_s", "Held up by checkpoints", "s", "step time"),
    Metric("num_tokens", "Tokens in the step", "tokens", "data"),
    Metric("num_trained_tokens", "Trained tokens in the step", "tokens", "data"),
    Metric("padding_share", "Padding share", "", "data"),
    Metric("num_microbatches", "Microbatches", "", "data"),
    Metric("memory_bytes", "Memory in use, largest rank", "B", "memory"),
    Metric("reserved_memory_bytes", "Memory reserved, largest rank", "B", "memory"),
    Metric("peak_memory_bytes", "Peak memory, largest rank", "B", "memory"),
    Metric("gpu_utilization", "GPU utilisation, mean of ranks", "", "device"),
    Metric("power_w", "Power per GPU, mean of ranks", "W", "device"),
    Metric("temperature_c", "Temperature, warmest rank", "°C", "device"),
    Metric("fp8_largest_amax", "FP8: largest magnitude of a tensor", "", "fp8"),
    Metric("fp8_smallest_scale", "FP8: smallest scale of a tensor", "", "fp8"),
    Metric("fp8_saturated_share", "FP8: tensors beyond their scale", "", "fp8"),
)
DERIVED: tuple[Metric, ...] = (Metric("total_tokens", "Tokens up to and with the step", "tokens", "data"),)
BY_NAME: dict[str, Metric] = {metric.name: metric for metric in CATALOGUE}

PER_RANK = ("memory_bytes", "reserved_memory_bytes", "peak_memory_bytes")
_RANK = re.compile(rf"({'|'.join(PER_RANK)})\.rank\d+")


def of_rank(name: str, rank: int) -> str:
    """The name of one rank's value of a metric of PER_RANK."""
    return f"{name}.rank{rank}"


def catalogue_name(name: str) -> str:
    """The entry of the catalogue that a name belongs to: `memory_bytes` of `memory_bytes.rank3`; else the name."""
    found = _RANK.fullmatch(name)
    return found.group(1) if found else name
