"""What is told of a GPU, from a stand-in for the driver: no machine that runs these tests has one."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from tests.support.waiting import wait_for
from worker.engine.platform import device_monitor
from worker.engine.platform.device_monitor import DeviceMonitor, DeviceReading, open_monitor


class Driver:
    """NVML of one GPU, whose temperature rises with each question until it falls off the bus."""

    NVML_TEMPERATURE_GPU = 0

    class NVMLError(Exception):
        pass

    def __init__(self, num_answers: int) -> None:
        self.num_answers = num_answers
        self.asked: list[str] = []

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> str:  # noqa: N802
        self.asked.append(uuid)
        return uuid

    def nvmlDeviceGetUtilizationRates(self, handle: str) -> SimpleNamespace:  # noqa: N802
        if self.num_answers == 0:
            raise self.NVMLError("GPU is lost")
        self.num_answers -= 1
        return SimpleNamespace(gpu=93, memory=40)

    def nvmlDeviceGetPowerUsage(self, handle: str) -> int:  # noqa: N802
        return 612_500

    def nvmlDeviceGetTemperature(self, handle: str, sensor: int) -> int:  # noqa: N802
        return 60 - self.num_answers


def test_a_reading_is_there_at_once_and_is_renewed_until_the_driver_fails(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(device_monitor, "INTERVAL_S", 0.01)
    driver = Driver(num_answers=3)
    monitor = DeviceMonitor(driver, "GPU-1234")
    assert driver.asked == ["GPU-1234"]
    assert (monitor.latest.utilization, monitor.latest.power_w) == (0.93, 612.5)
    wait_for(lambda: not monitor._thread.is_alive(), "the end of the watch")
    assert monitor.latest == DeviceReading(0.93, 612.5, 60.0)
    assert "not watched any more: GPU is lost" in capsys.readouterr().out
    monitor.close()


def test_a_cpu_has_no_monitor() -> None:
    assert open_monitor(torch.device("cpu")) is None
