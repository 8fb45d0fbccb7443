"""What the driver says of this rank's GPU: how busy, how much power, how warm. By NVML, in a thread of its own.

A question to the driver can take milliseconds, so the training loop never asks: it takes what the thread has read last.
Where there is no GPU, no NVML or no permission there is no monitor, and what it would have told is absent, never zero.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import torch

INTERVAL_S = 1.0


@dataclass(frozen=True)
class DeviceReading:
    """`utilization`: share of the driver's last sampling period in which a kernel ran."""

    utilization: float
    power_w: float
    temperature_c: float


class DeviceMonitor:
    """Reads one GPU every INTERVAL_S until `close`. `nvml` is the module pynvml, initialised."""

    def __init__(self, nvml: ModuleType | Any, uuid: str) -> None:
        self._nvml = nvml
        self._handle = nvml.nvmlDeviceGetHandleByUUID(uuid)
        self._ended = threading.Event()
        self.latest = self._read()
        self._thread = threading.Thread(target=self._watch, name="device-monitor", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(INTERVAL_S):
            try:
                self.latest = self._read()
            except self._nvml.NVMLError as fault:
                print(f"the GPU is not watched any more: {fault}", flush=True)
                return

    def _read(self) -> DeviceReading:
        nvml, handle = self._nvml, self._handle
        return DeviceReading(
            nvml.nvmlDeviceGetUtilizationRates(handle).gpu / 100.0,
            nvml.nvmlDeviceGetPowerUsage(handle) / 1000.0,
            float(nvml.nvmlDeviceGetTemperature(handle, nvml.NVML_TEMPERATURE_GPU)),
        )


def open_monitor(device: torch.device) -> DeviceMonitor | None:
    """A monitor of the rank's own device; None on a CPU, or where NVML does not answer (said once in engine.log)."""
    if device.type != "cuda":
        return None
    try:
        import pynvml
    except ImportError:
        print("no GPU utilisation, power and temperature: nvidia-ml-py is not installed", flush=True)
        return None
    try:
        pynvml.nvmlInit()
        return DeviceMonitor(pynvml, f"GPU-{torch.cuda.get_device_properties(device).uuid}")
    except pynvml.NVMLError as fault:
        print(f"no GPU utilisation, power and temperature: {fault}", flush=True)
        return None
