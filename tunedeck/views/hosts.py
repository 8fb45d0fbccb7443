"""Hosts and their devices: who holds them, and what they do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from pydantic import Field

from tunedeck.bus import HostFacts
from tunedeck.component import Component
from tunedeck.lifecycle import JobState
from tunedeck.readings import DeviceReading


class HeldView(Component):
    """What a job holds of a host."""

    job_id: str
    name: str
    owner: str
    state: JobState
    num_devices: int


class SetAsideView(Component):
    """A device that had errors: nothing new is placed on it until it is released."""

    index: int
    why: str
    since: float


class DrainView(Component):
    by: str
    why: str
    since: float


class DrainHost(Component):
    why: str = Field("", max_length=500, description="shown on the cluster page")
    pause: bool = Field(
        False, description="what runs there writes a checkpoint and goes back to the queue; else it runs to its end"
    )


class HostView(Component):
    """`num_free` devices would be placed on now: 0 on a host that is silent or drained."""

    facts: HostFacts
    last_seen_at: float
    alive: bool
    jobs: tuple[str, ...]
    num_free: int = 0
    held: tuple[HeldView, ...] = ()
    set_aside: tuple[SetAsideView, ...] = ()
    drained: DrainView | None = None


class DeviceReadingsView(Component):
    """What was read of one GPU, at the times of its host. None: nothing was, or the driver does not tell."""

    index: int
    job_id: str = Field(description='who held it at the last time, "": nobody')
    power_limit_w: float | None = Field(description="at the last time")
    utilization: tuple[float | None, ...]
    memory_bytes: tuple[int | None, ...]
    power_w: tuple[float | None, ...]
    temperature_c: tuple[float | None, ...]

    @classmethod
    def of(cls, index: int, readings: Sequence[DeviceReading | None]) -> Self:
        newest = readings[-1] if readings else None
        return cls(
            index=index,
            job_id=newest.job_id if newest else "",
            power_limit_w=newest.power_limit_w if newest else None,
            utilization=tuple(each and each.utilization for each in readings),
            memory_bytes=tuple(each and each.memory_bytes for each in readings),
            power_w=tuple(each and each.power_w for each in readings),
            temperature_c=tuple(each and each.temperature_c for each in readings),
        )


class HostReadingsView(Component):
    """The last ten minutes of a host, oldest first. A host whose cores are its devices has none here."""

    host: str
    times: tuple[float, ...]
    processor: tuple[float, ...] = Field(description="busy share of the cores")
    memory_bytes: tuple[int, ...]
    devices: tuple[DeviceReadingsView, ...]
