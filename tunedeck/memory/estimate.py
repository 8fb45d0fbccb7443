"""The sum of the parts, beside what the device has; and where it does not fit, the microbatch that would."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tunedeck.architecture import Architecture
from tunedeck.bus import HostFacts
from tunedeck.component import Component
from tunedeck.memory.activations import activation_bytes, loss_bytes
from tunedeck.memory.model_state import gradient_bytes, optimizer_bytes, update_bytes, weight_bytes
from tunedeck.memory.parameters import local_parameters
from tunedeck.resolved import ResolvedHardware, ResolvedSpec

# CUDA's context, NCCL's buffers and the libraries' kernels, which torch's own count of allocated bytes leaves out:
# 7.7 GiB wherever an H200 with Transformer Engine 2.20 ran out of memory. On a CPU the interpreter and its libraries.
RUNTIME_BYTES = {"cuda": 7900 << 20, "cpu": 900 << 20}
# The allocator leaves gaps, and the estimate is one: above this share of the device a run may or may not end well.
TIGHT_SHARE = 0.95
Verdict = Literal["fits", "tight", "does_not_fit"]


class MemoryPart(Component):
    name: Literal["weights", "gradients", "optimizer", "activations", "loss", "update", "runtime"]
    bytes: int


class MemoryEstimate(Component):
    """Of the fullest rank. `capacity_bytes` is what a device has; ranks on a CPU share their host's memory equally."""

    parts: tuple[MemoryPart, ...]
    total_bytes: int
    capacity_bytes: int
    verdict: Verdict
    largest_max_tokens_per_gpu: int = Field(
        description="of the microbatches that would fit, the largest; 0: not even the model does"
    )


def capacity_bytes(host: HostFacts, hardware: ResolvedHardware) -> int:
    """What one rank may fill: the smallest GPU of the host, or its share of the host's memory. A Ray cluster's memory
    is taken to be spread evenly over its nodes."""
    if host.kind == "cuda":
        return min(device.memory_bytes for device in host.devices)
    num_nodes = max(1, len(host.num_devices_of_nodes))
    return host.memory_bytes // num_nodes // hardware.num_devices_per_node


def estimate_memory(architecture: Architecture, spec: ResolvedSpec, capacity_bytes: int) -> MemoryEstimate:
    """For microbatches filled up to `max_tokens_per_gpu`; a single longer conversation needs more."""
    max_tokens = spec.batching.max_tokens_per_gpu
    parts = _parts(architecture, spec, max_tokens)
    total = sum(parts.values())
    usable = int(TIGHT_SHARE * capacity_bytes)
    verdict: Verdict = "fits" if total <= usable else "tight" if total <= capacity_bytes else "does_not_fit"
    return MemoryEstimate(
        parts=tuple(MemoryPart.model_validate({"name": name, "bytes": size}) for name, size in parts.items()),
        total_bytes=total,
        capacity_bytes=capacity_bytes,
        verdict=verdict,
        largest_max_tokens_per_gpu=_largest_microbatch(architecture, spec, usable),
    )


def _parts(architecture: Architecture, spec: ResolvedSpec, num_tokens: int) -> dict[str, int]:
    """`update` is what the optimizer's step needs beyond activations and loss, which are freed before it."""
    parameters = local_parameters(architecture, spec.parallelism)
    activations, loss = activation_bytes(architecture, spec, num_tokens), loss_bytes(architecture, spec, num_tokens)
    return {
        "weights": weight_bytes(parameters, spec.precision),
        "gradients": gradient_bytes(parameters, spec.precision),
        "optimizer": optimizer_bytes(parameters, spec),
        "activations": activations,
        "loss": loss,
        "update": max(0, update_bytes(parameters, spec) - activations - loss),
        "runtime": RUNTIME_BYTES[spec.hardware.device],
    }


def _largest_microbatch(architecture: Architecture, spec: ResolvedSpec, usable_bytes: int) -> int:
    """A multiple of 1,024 tokens, by halving the interval: the sum grows with every token."""
    low, high = 0, 4096  # in units of 1,024
    while low < high:
        middle = (low + high + 1) // 2
        fits = sum(_parts(architecture, spec, middle * 1024).values()) <= usable_bytes
        low, high = (middle, high) if fits else (low, middle - 1)
    return low * 1024
