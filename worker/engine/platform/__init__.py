"""The machine under the trainer: which device, which communication backend, how its memory is read.

`device` of ResolvedHardware decides everything here; the rest of the engine never asks whether CUDA exists.
"""

from worker.engine.platform.device_monitor import DeviceMonitor, DeviceReading, open_monitor
from worker.engine.platform.machine import Memory, Platform, activate
from worker.engine.platform.parallel import init_parallel, shutdown_parallel

__all__ = [
    "DeviceMonitor",
    "DeviceReading",
    "Memory",
    "Platform",
    "activate",
    "init_parallel",
    "open_monitor",
    "shutdown_parallel",
]
