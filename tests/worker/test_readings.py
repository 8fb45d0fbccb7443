"""What the worker reads off its devices. NVML is the edge: without a GPU a stand-in answers for it."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from tests.support.jobs import facts_of
from tests.support.valkey import ValkeyServer
from tests.worker.orders import HOST
from tests.worker.test_device_health import Library, device
from tests.worker.worker_process import WorkerProcess
from tunedeck.readings import READINGS_STREAM, DeviceReading, HostReading
from worker import memory_in_use
from worker.devices import Devices
from worker.host_facts import host_facts
from worker.readings import Reader


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


def test_a_worker_sends_what_it_reads(valkey: ValkeyServer, worker: WorkerProcess) -> None:
    with valkey.client() as bus:
        [(_, [(_, fields)])] = bus.xread({READINGS_STREAM: "0-0"}, count=1, block=60_000)
    assert HostReading.model_validate_json(fields["m"]).host == HOST
