"""What every rank tells of itself at the end of a step, gathered in one small exchange, so that rank 0 can report it
and all ranks take the same decisions.

Shapes: R ranks.
"""

from __future__ import annotations

import math
from dataclasses import astuple, dataclass

import torch

from tunedeck.metrics import of_rank
from worker.engine.platform import DeviceReading, Platform

_ABSENT = math.nan


@dataclass(frozen=True)
class RankReading:
    """One rank. NaN is what it cannot tell. `stop`: it has seen a stop request; `is_writing`: a checkpoint."""

    stop: float
    is_writing: float
    memory_bytes: float
    reserved_memory_bytes: float
    peak_memory_bytes: float
    utilization: float
    power_w: float
    temperature_c: float


@dataclass(frozen=True)
class RankReadings:
    """All ranks, by rank."""

    ranks: tuple[RankReading, ...]

    @property
    def stop(self) -> bool:
        return any(rank.stop for rank in self.ranks)

    @property
    def is_writing(self) -> bool:
        return any(rank.is_writing for rank in self.ranks)

    def metrics(self) -> dict[str, float]:
        """The groups memory and device of tunedeck/metrics.py; what no rank can tell is absent."""
        told = {
            "memory_bytes": max(self._all("memory_bytes"), default=_ABSENT),
            "reserved_memory_bytes": max(self._all("reserved_memory_bytes"), default=_ABSENT),
            "peak_memory_bytes": max(self._all("peak_memory_bytes"), default=_ABSENT),
            "gpu_utilization": _mean(self._all("utilization")),
            "power_w": _mean(self._all("power_w")),
            "temperature_c": max(self._all("temperature_c"), default=_ABSENT),
            **(self._memory_by_rank() if len(self.ranks) > 1 else {}),
        }
        return {name: value for name, value in told.items() if not math.isnan(value)}

    def _all(self, field: str) -> list[float]:
        values = [getattr(rank, field) for rank in self.ranks]
        return [value for value in values if not math.isnan(value)]

    def _memory_by_rank(self) -> dict[str, float]:
        told = {}
        for number, rank in enumerate(self.ranks):
            told[of_rank("memory_bytes", number)] = rank.memory_bytes
            told[of_rank("reserved_memory_bytes", number)] = rank.reserved_memory_bytes
            told[of_rank("peak_memory_bytes", number)] = rank.peak_memory_bytes
        return told


def host_group(platform: Platform) -> torch.distributed.ProcessGroup | None:
    """All ranks, by way of their hosts: what NCCL exchanges would wait for the step that the device is at. Collective;
    None stands for the default group."""
    if platform.backend == "gloo" or torch.distributed.get_world_size() == 1:
        return None
    return torch.distributed.new_group(backend="gloo")


def gather(
    stop: bool,
    is_writing: bool,
    device: DeviceReading | None,
    platform: Platform,
    group: torch.distributed.ProcessGroup | None,
) -> RankReadings:
    """Collective; the one exchange of a step that is not Megatron's. The device is not asked."""
    mine_N = torch.tensor(astuple(_own(stop, is_writing, device, platform)), dtype=torch.float64, device="cpu")
    num_ranks = torch.distributed.get_world_size()
    if num_ranks == 1:
        return RankReadings((RankReading(*mine_N.tolist()),))
    all_RN = [torch.empty_like(mine_N) for _ in range(num_ranks)]
    torch.distributed.all_gather(all_RN, mine_N, group=group)
    return RankReadings(tuple(RankReading(*numbers) for numbers in torch.stack(all_RN).tolist()))


def _own(stop: bool, is_writing: bool, device: DeviceReading | None, platform: Platform) -> RankReading:
    memory = platform.memory()
    return RankReading(
        float(stop),
        float(is_writing),
        memory.used_bytes,
        _ABSENT if memory.reserved_bytes is None else memory.reserved_bytes,
        # Linux counts the peak in coarser steps than the present size.
        max(memory.used_bytes, memory.peak_bytes),
        *((_ABSENT,) * 3 if device is None else astuple(device)),
    )


def _mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else _ABSENT
