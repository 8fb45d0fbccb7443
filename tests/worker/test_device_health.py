"""What the worker says of GPUs that have had errors. NVML is the edge: without a GPU a stand-in answers for it."""

# ruff: noqa: N802  # the names are NVML's

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from tunedeck.bus import Device
from worker.device_health import DeviceHealth
from worker.devices import Devices

ECC_OFF = -1


class NVMLError(Exception):
    """As pynvml has it: every refusal of the library."""


class TimedOut(NVMLError): ...


class GpuIsLost(NVMLError): ...


@dataclass
class Event:
    device: str
    eventData: int


@dataclass
class Library:
    """The part of pynvml that is used, over a machine with as many GPUs as `ecc` has entries: handles are the UUIDs."""

    ecc: dict[str, int]
    events: deque[Event] = field(default_factory=deque)
    lost: set[str] = field(default_factory=set)
    deaf: set[str] = field(default_factory=set)
    has_no_utilization: set[str] = field(default_factory=set)

    NVMLError = NVMLError
    NVMLError_GpuIsLost = GpuIsLost
    NVML_MEMORY_ERROR_TYPE_UNCORRECTED = 1
    NVML_VOLATILE_ECC = 0
    NVML_TEMPERATURE_GPU = 0
    nvmlEventTypeXidCriticalError = 8

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> str:
        assert uuid in self.ecc
        return uuid

    def nvmlDeviceGetUUID(self, handle: str) -> str:
        return handle

    def nvmlEventSetCreate(self) -> set[str]:
        return set()

    def nvmlDeviceRegisterEvents(self, handle: str, kinds: int, events: set[str]) -> None:
        if handle in self.deaf:
            raise NVMLError("Not Supported")
        assert kinds == self.nvmlEventTypeXidCriticalError
        events.add(handle)

    def nvmlEventSetWait_v2(self, events: set[str], timeout_ms: int) -> Event:
        if not self.events:
            raise TimedOut("Timeout")
        assert self.events[0].device in events
        return self.events.popleft()

    def nvmlDeviceGetUtilizationRates(self, handle: str) -> SimpleNamespace:
        if handle in self.has_no_utilization:
            raise NVMLError("Not Supported")
        return SimpleNamespace(gpu=97)

    def nvmlDeviceGetMemoryInfo(self, handle: str) -> SimpleNamespace:
        return SimpleNamespace(used=71 << 30)

    def nvmlDeviceGetPowerUsage(self, handle: str) -> int:
        return 612_345

    def nvmlDeviceGetEnforcedPowerLimit(self, handle: str) -> int:
        return 700_000

    def nvmlDeviceGetTemperature(self, handle: str, sensor: int) -> int:
        assert sensor == self.NVML_TEMPERATURE_GPU
        return 61

    def nvmlDeviceGetTotalEccErrors(self, handle: str, *kinds: int) -> int:
        assert kinds == (self.NVML_MEMORY_ERROR_TYPE_UNCORRECTED, self.NVML_VOLATILE_ECC)
        if handle in self.lost:
            raise GpuIsLost("GPU is lost")
        if self.ecc[handle] == ECC_OFF:
            raise NVMLError("Not Supported")
        return self.ecc[handle]


def device(index: int, **fields: Any) -> Device:
    values = {"name": "GPU", "memory_bytes": 80 << 30, "compute_capability": (9, 0)} | fields
    return Device.model_validate(values | {"index": index, "uuid": f"GPU-{index}"})


def watched(**ecc: int) -> tuple[Library, DeviceHealth]:
    """GPU-0, GPU-1 … with so many uncorrected errors each."""
    library = Library({f"GPU-{index}": number for index, number in enumerate(ecc.values())})
    return library, DeviceHealth(library, [device(index) for index in range(len(ecc))])


def test_gpus_without_errors_are_not_spoken_of_also_where_they_have_no_ecc() -> None:
    _, health = watched(first=0, second=ECC_OFF)
    assert health.faults() == ()


def test_uncorrected_ecc_errors_and_xid_events_are_told_with_their_numbers() -> None:
    library, health = watched(first=0, second=2, third=0)
    library.events.extend([Event("GPU-2", 79), Event("GPU-1", 48), Event("GPU-1", 48)])
    told = {fault.index: fault for fault in health.faults()}
    assert {index: fault.why for index, fault in told.items()} == {
        1: "2 uncorrected ECC errors, Xid 48 (2 times)",
        2: "Xid 79",
    }
    assert (told[1].num_ecc_errors, told[1].num_xid_errors) == (2, 2)
    assert health.faults() == tuple(told.values()), "what was heard once stays"


def test_an_error_of_the_program_is_none_of_the_gpu() -> None:
    library, health = watched(first=0)
    library.events.extend([Event("GPU-0", 13), Event("GPU-0", 31), Event("GPU-0", 43)])
    assert health.faults() == ()


def test_a_gpu_that_no_longer_answers_is_told_as_fallen_off_the_bus() -> None:
    library, health = watched(first=0, second=0)
    library.lost.add("GPU-1")
    assert [(fault.index, fault.why) for fault in health.faults()] == [(1, "Xid 79")]
    assert [fault.num_xid_errors for fault in health.faults()] == [1]


def test_a_card_without_events_is_watched_for_the_rest() -> None:
    library = Library({"GPU-0": 1}, deaf={"GPU-0"})
    assert DeviceHealth(library, [device(0)]).faults()[0].why == "1 uncorrected ECC error"


def test_devices_that_are_set_aside_are_not_dealt_out() -> None:
    devices = Devices(4)
    assert devices.take("job", 2, avoid=(0, 2)) == (1, 3)
    assert devices.take("job", 1, avoid=(0, 2)) is None
    assert devices.take("job", 1, avoid=(2,)) == (0,)
