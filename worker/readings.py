"""Reads the host's devices every few seconds and puts what it read on the bus, where the cluster page finds it.

In a thread of its own: a driver that has lost a GPU may answer after seconds, and the hello that keeps the host alive
must not wait for it. A reading that cannot be sent is not sent again, since the next one is better.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

import psutil
import redis

from tunedeck.bus import Device, HostFacts
from tunedeck.readings import MOST_READINGS, READINGS_STREAM, DeviceReading, HostReading
from worker.devices import Dealer
from worker.memory_in_use import memory_in_use_bytes

logger = logging.getLogger(__name__)


class Reader:
    """Reads one host. `nvml` is the module pynvml, initialised; None without GPUs. Not thread-safe."""

    def __init__(self, facts: HostFacts, dealer: Dealer, nvml: ModuleType | Any | None) -> None:
        self._host = facts.name
        self._dealer = dealer
        self._nvml: Any = nvml
        self._handles = _handles(nvml, facts.devices) if nvml is not None and facts.kind == "cuda" else {}
        self._cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
        psutil.cpu_percent(percpu=True)  # the next call tells the share since this one

    def read(self) -> HostReading:
        holders = self._dealer.holders()
        return HostReading(
            host=self._host,
            processor=self._processor(),
            memory_bytes=memory_in_use_bytes(),
            devices=tuple(self._device(index, holders.get(index, "")) for index in self._handles),
        )

    def _processor(self) -> float:
        """The mean over the cores that this process may use, since the last call."""
        shares = psutil.cpu_percent(percpu=True)
        own = [shares[core] for core in self._cores if core < len(shares)] or shares
        return round(min(1.0, sum(own) / len(own) / 100), 3)

    def _device(self, index: int, job_id: str) -> DeviceReading:
        nvml, handle = self._nvml, self._handles[index]
        return DeviceReading(
            device=index,
            job_id=job_id,
            utilization=self._ask(lambda: nvml.nvmlDeviceGetUtilizationRates(handle).gpu / 100),
            memory_bytes=self._ask(lambda: nvml.nvmlDeviceGetMemoryInfo(handle).used),
            power_w=self._ask(lambda: round(nvml.nvmlDeviceGetPowerUsage(handle) / 1000)),
            power_limit_w=self._ask(lambda: round(nvml.nvmlDeviceGetEnforcedPowerLimit(handle) / 1000)),
            temperature_c=self._ask(lambda: nvml.nvmlDeviceGetTemperature(handle, nvml.NVML_TEMPERATURE_GPU)),
        )

    def _ask(self, question: Callable[[], Any]) -> Any:
        """None for what this device or this user is not told. Lost devices are the business of device_health.py."""
        try:
            return question()
        except self._nvml.NVMLError:
            return None


class Readings(threading.Thread):
    """A daemon thread that sends what `read` tells until it is stopped. It outlives any fault of a reading."""

    def __init__(self, bus: redis.Redis, read: Callable[[], HostReading | None], interval_s: float) -> None:
        super().__init__(name="readings", daemon=True)
        self._bus = bus
        self._read = read
        self._interval_s = interval_s
        self._ending = threading.Event()
        self._known_faults: set[str] = set()
        self._is_losing = False

    def stop(self) -> None:
        self._ending.set()

    def run(self) -> None:
        while not self._ending.wait(self._interval_s):
            try:
                if reading := self._read():
                    self._send(reading)
            except Exception as fault:
                self._tell_once(fault)

    def _send(self, reading: HostReading) -> None:
        try:
            self._bus.xadd(READINGS_STREAM, {"m": reading.model_dump_json()}, maxlen=MOST_READINGS)
        except redis.RedisError as fault:
            level = logging.DEBUG if self._is_losing else logging.WARNING
            logger.log(level, "readings are lost until the bus takes them again: %s", fault)
            self._is_losing = True
        else:
            self._is_losing = False

    def _tell_once(self, fault: Exception) -> None:
        if repr(fault) not in self._known_faults:
            self._known_faults.add(repr(fault))
            logger.error("the host cannot be read; this is said once: %s", fault, exc_info=fault)


def _handles(nvml: ModuleType | Any, devices: Sequence[Device]) -> dict[int, Any]:
    handles = {}
    for device in devices:
        try:
            handles[device.index] = nvml.nvmlDeviceGetHandleByUUID(device.uuid)
        except nvml.NVMLError as fault:
            logger.warning("device %d cannot be read: %s", device.index, fault)
    return handles
