"""Which GPUs of this host have had errors: uncorrected ECC errors and Xid events, as NVML tells them.

It only tells. What becomes of a faulty GPU is decided where jobs are placed, and a training that uses it goes on until
it fails by itself. A GPU that merely is hot, slow or full is not faulty.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from types import ModuleType
from typing import Any

from tunedeck.bus import Device, DeviceFault

logger = logging.getLogger(__name__)

# Faults of the program, not of the GPU: the ones that NVIDIA's device plugin for Kubernetes passes over.
# https://github.com/NVIDIA/k8s-device-plugin, internal/rm/health.go
APPLICATION_XIDS = frozenset({13, 31, 43, 45, 68, 109})
# What the driver says of a GPU that no longer answers (https://docs.nvidia.com/deploy/xid-errors).
FALLEN_OFF_THE_BUS = 79


class DeviceHealth:
    """Asks about the given GPUs. `nvml` is the module pynvml, initialised. Not thread-safe."""

    def __init__(self, nvml: ModuleType | Any, devices: Sequence[Device]) -> None:
        self._nvml = nvml
        self._handles: dict[int, Any] = {}
        self._index_of = {device.uuid: device.index for device in devices}
        self._xids: dict[int, Counter[int]] = {device.index: Counter() for device in devices}
        self._events = nvml.nvmlEventSetCreate()
        for device in devices:
            self._watch(device)

    def faults(self) -> tuple[DeviceFault, ...]:
        """Of every GPU that has had errors: ECC since its driver was loaded, Xid since this object was made."""
        self._hear()
        found = (self._fault(index, self._num_ecc_errors(index)) for index in self._handles)
        return tuple(fault for fault in found if fault is not None)

    def _watch(self, device: Device) -> None:
        nvml = self._nvml
        try:
            handle = self._handles[device.index] = nvml.nvmlDeviceGetHandleByUUID(device.uuid)
            nvml.nvmlDeviceRegisterEvents(handle, nvml.nvmlEventTypeXidCriticalError, self._events)
        except nvml.NVMLError as fault:  # older cards, and slices of a MIG device
            logger.warning("not all of the health of device %d can be watched: %s", device.index, fault)

    def _hear(self) -> None:
        """Takes the events that have come since the last time."""
        while True:
            try:
                event = self._nvml.nvmlEventSetWait_v2(self._events, 0)
                index = self._index_of.get(self._nvml.nvmlDeviceGetUUID(event.device))
            except self._nvml.NVMLError:  # a time-out: there are no more; or a lost GPU, which the count of ECC meets
                return
            if index is not None and event.eventData not in APPLICATION_XIDS:
                logger.error("device %d: Xid %d", index, event.eventData)
                self._xids[index][event.eventData] += 1

    def _num_ecc_errors(self, index: int) -> int:
        """Uncorrected ones; 0 for a card without ECC."""
        nvml = self._nvml
        try:
            kinds = (nvml.NVML_MEMORY_ERROR_TYPE_UNCORRECTED, nvml.NVML_VOLATILE_ECC)
            return int(nvml.nvmlDeviceGetTotalEccErrors(self._handles[index], *kinds))
        except nvml.NVMLError_GpuIsLost:
            self._xids[index][FALLEN_OFF_THE_BUS] = max(1, self._xids[index][FALLEN_OFF_THE_BUS])
        except nvml.NVMLError:
            pass
        return 0

    def _fault(self, index: int, num_ecc_errors: int) -> DeviceFault | None:
        xids = self._xids[index]
        said = [f"Xid {xid}" + (f" ({number} times)" if number > 1 else "") for xid, number in sorted(xids.items())]
        if num_ecc_errors:
            said.insert(0, f"{num_ecc_errors} uncorrected ECC error{'s' if num_ecc_errors > 1 else ''}")
        if not said:
            return None
        return DeviceFault(index=index, num_ecc_errors=num_ecc_errors, num_xid_errors=xids.total(), why=", ".join(said))
