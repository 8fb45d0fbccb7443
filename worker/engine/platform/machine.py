"""Platform: the device of this rank, its backend and its memory, on a GPU or on a machine that has none.

Megatron-core writes "cuda" in its source. On a GPU that is right and nothing is changed; without one, `cuda_on_cpu.py`
answers it. A fork of megatron-core was rejected: what CI exercises must be the package that users run.
"""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import psutil
import torch

from tunedeck.errors import SpecInvalid
from tunedeck.resolved import ResolvedHardware
from worker.engine.platform import cuda_on_cpu, experts_on_cpu


@dataclass(frozen=True)
class Memory:
    """Of this rank: in use, what the allocator holds of the device (None on a CPU), and the most that was in use."""

    used_bytes: int
    reserved_bytes: int | None
    peak_bytes: int


@dataclass(frozen=True)
class Platform:
    """What this rank runs on. Whatever calls megatron-core runs inside `active()`, once in each thread."""

    device: torch.device
    backend: Literal["gloo", "nccl"]

    @contextmanager
    def active(self) -> Iterator[None]:
        """Let this thread run megatron-core: on a CPU, "cuda" means the CPU inside; on a GPU, nothing changes."""
        if self.device.type == "cuda":
            yield
            return
        with cuda_on_cpu.CudaMeansCpu():
            yield

    def memory(self) -> Memory:
        """Of the allocator on a GPU, resident set size on a CPU; the peak counts from the start."""
        if self.device.type == "cuda":
            statistics = torch.cuda.memory_stats_as_nested_dict(self.device)
            allocated, reserved = statistics["allocated_bytes"]["all"], statistics["reserved_bytes"]["all"]
            return Memory(allocated["current"], reserved["current"], allocated["peak"])
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return Memory(psutil.Process().memory_info().rss, None, peak if sys.platform == "darwin" else peak * 1024)

    def memory_of_total(self) -> tuple[int, int, int]:
        """Memory in use, its peak, and what the GPU, or the host, has; in bytes."""
        memory = self.memory()
        if self.device.type == "cuda":
            total = torch.cuda.get_device_properties(self.device).total_memory
        else:
            total = psutil.virtual_memory().total
        # Linux counts the peak in coarser steps than the present size.
        return memory.used_bytes, max(memory.used_bytes, memory.peak_bytes), total

    @property
    def runs_behind(self) -> bool:
        """Whether the host goes on while this device computes."""
        return self.device.type == "cuda"

    def synchronize(self) -> None:
        """Wait until the device has done all that was asked of it, so that a clock may be read."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)


def activate(hardware: ResolvedHardware) -> Platform:
    """Prepare this process for `hardware`. Call once, before any other use of megatron-core.

    Raises SpecInvalid where the spec asks for a GPU that this machine does not have.
    """
    if hardware.device == "cuda":
        return _activate_cuda()
    torch.set_num_threads(hardware.threads_per_process)
    # Megatron-core compiles small functions, for which a CPU would need a C++ compiler, and half a minute.
    torch.compiler.set_stance("force_eager")
    cuda_on_cpu.install()
    experts_on_cpu.install()
    return Platform(torch.device("cpu"), "gloo")


def _activate_cuda() -> Platform:
    local_rank = int(os.environ.get("LOCAL_RANK", "0"))
    num_devices = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if local_rank >= num_devices:
        raise SpecInvalid.at(
            "hardware.device",
            "cuda",
            f"rank {local_rank} of this host needs a GPU of its own, but PyTorch sees {num_devices}",
            "run the job on a host with enough GPUs, or on the CPU",
        )
    device = torch.device("cuda", local_rank)
    torch.cuda.set_device(device)
    return Platform(device, "nccl")
