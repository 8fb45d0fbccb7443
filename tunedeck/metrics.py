"""The names of what is measured at each step, with title and unit: one list for engine, API and charts."""

from __future__ import annotations

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
    Metric("tokens_per_s", "Throughput", "tokens/s", "throughput"),
    Metric("step_time_s", "Step time", "s", "throughput"),
    Metric("data_time_s", "Waiting for data", "s", "throughput"),
    Metric("checkpoint_time_s", "Held up by checkpoints", "s", "throughput"),
    Metric("num_tokens", "Tokens in the step", "tokens", "data"),
    Metric("num_trained_tokens", "Trained tokens in the step", "tokens", "data"),
    Metric("padding_share", "Padding share", "", "data"),
    Metric("num_microbatches", "Microbatches", "", "data"),
    Metric("memory_bytes", "Memory in use, largest rank", "B", "memory"),
    Metric("peak_memory_bytes", "Peak memory, largest rank", "B", "memory"),
)
BY_NAME: dict[str, Metric] = {metric.name: metric for metric in CATALOGUE}
