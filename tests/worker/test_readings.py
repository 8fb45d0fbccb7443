"""What the worker reads off its devices. NVML is the edge: without a GPU a stand-in answers for it."""

from __future__ import annotations

import logging
from pathlib import Path

import psutil
import pytest

from tests.support.jobs import facts_of
from tests.support.readings import reading
from tests.support.valkey import ValkeyServer
from tests.support.waiting import wait_for
from tests.worker.orders import HOST
from tests.worker.test_device_health import Library, device
from tests.worker.worker_process import WorkerProcess
from tunedeck.readings import READINGS_STREAM, DeviceReading, HostReading
from worker import memory_in_use
from worker.devices import Devices
from worker.host_facts import host_facts
from worker.readings import Reader, Readings


def test_each_gpu_is_read_with_the_job_that_holds_it_and_what_is_not_told_is_absent() -> None:
    library = Library({"GPU-0": 0, "GPU-1": 0}, has_no_utilization={"GPU-1"})
    facts = facts_of("gpus").model_copy(update={"devices": (device(0), device(1))})
    devices = Devices(2)
    devices.take("job000001", 1)
    read = Reader(facts, devices, library).read()
    assert read.devices == (
        DeviceReading(0, "job000001", 0.97, 71 << 30, 612, 700, 61),
        DeviceReading(1, "", None, 71 << 30, 612, 700, 61),
    )


def test_a_host_without_gpus_tells_of_processor_and_memory() -> None:
    facts = host_facts("laptop")
    read = Reader(facts, Devices(len(facts.devices)), None).read()
    assert (read.host, read.devices) == ("laptop", ())
    assert 0 <= read.processor <= 1
    assert 0 < read.memory_bytes <= psutil.virtual_memory().total


@pytest.mark.parametrize("cache_name", ["inactive_file", "total_inactive_file"])
def test_memory_is_that_of_a_container_with_a_limit_without_its_page_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache_name: str
) -> None:
    for name, text in (
        ("limit", str(1 << 20)),
        ("use", "900000"),
        ("memory.stat", f"anon 1\n{cache_name} 300000\nfile 7\n"),
    ):
        (tmp_path / name).write_text(text + "\n")
    monkeypatch.setattr(memory_in_use, "_GROUPS", ((tmp_path / "limit", tmp_path / "use", cache_name),))
    assert memory_in_use.memory_in_use_bytes() == 600_000
    (tmp_path / "limit").write_text("max\n")
    assert memory_in_use.memory_in_use_bytes() > 1 << 20


def test_a_reading_that_fails_is_told_once_and_the_next_one_is_sent(
    valkey: ValkeyServer, caplog: pytest.LogCaptureFixture
) -> None:
    faults = iter([OSError("no /proc"), OSError("no /proc"), ValueError("no core"), OSError("no /proc")])

    def read() -> HostReading:
        if fault := next(faults, None):
            raise fault
        return reading("box", 1)

    with valkey.client() as bus:
        readings = Readings(bus, read, 0.01)
        readings.start()
        wait_for(lambda: bus.xlen(READINGS_STREAM), "a reading")
        readings.stop()
        readings.join()
    told = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert [message.rpartition(": ")[2] for message in told] == ["no /proc", "no core"]


def test_that_readings_are_lost_is_told_once_until_the_bus_is_back(
    valkey: ValkeyServer, caplog: pytest.LogCaptureFixture
) -> None:
    num_read = 0

    def read() -> HostReading:
        nonlocal num_read
        num_read += 1
        return reading("box", 1)

    def wait_for_more(num_more: int) -> None:
        wanted = num_read + num_more
        wait_for(lambda: num_read >= wanted, "readings")

    with valkey.client() as bus:
        readings = Readings(bus, read, 0.01)
        bus.set(READINGS_STREAM, "which takes no readings")
        readings.start()
        wait_for_more(3)
        bus.delete(READINGS_STREAM)
        wait_for(lambda: bus.xlen(READINGS_STREAM), "a reading")
        bus.set(READINGS_STREAM, "again")
        wait_for_more(3)
        readings.stop()
        readings.join()
    warnings = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == 2


def test_a_worker_sends_what_it_reads(valkey: ValkeyServer, worker: WorkerProcess) -> None:
    with valkey.client() as bus:
        wait_for(lambda: bus.xlen(READINGS_STREAM), "a reading")
        [(_, fields)] = bus.xrange(READINGS_STREAM, count=1)
    assert HostReading.model_validate_json(fields["m"]).host == HOST
