"""What a worker says of its machine, and how it deals out its devices."""

from __future__ import annotations

import errno
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tunedeck import __version__
from tunedeck.errors import Unavailable
from tunedeck.settings import Settings
from worker.devices import Devices
from worker.endings import failed_on_host
from worker.host_facts import host_facts
from worker.offer import offer_of


def test_a_host_without_gpus_offers_each_core_with_its_share_of_memory() -> None:
    facts = host_facts("laptop")
    assert (facts.name, facts.kind, facts.worker_version) == ("laptop", "cpu", __version__)
    assert len(facts.devices) == len(psutil.Process().cpu_affinity())
    assert 0 < sum(device.memory_bytes for device in facts.devices) <= facts.memory_bytes


def test_the_worker_and_its_supervisor_import_neither_torch_nor_ray() -> None:
    program = "import sys, worker.__main__, worker.supervisor.__main__; print(bool({'torch', 'ray'} & {*sys.modules}))"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout == "False\n"


def test_no_device_is_dealt_out_twice() -> None:
    devices = Devices(4)
    first, second = devices.take("a", 3), devices.take("b", 2)
    assert (first, second) == ((0, 1, 2), None)
    devices.give_back((1,))
    assert devices.take("b", 2) == (1, 3)
    assert devices.holders() == {0: "a", 1: "b", 2: "a", 3: "b"}


def test_a_full_disk_is_reported_as_such() -> None:
    report = failed_on_host("laptop", OSError(errno.ENOSPC, "No space left on device", "/data/runs/j/1/spec.json"))
    assert (report.outcome, report.code) == ("failed", "disk_full")
    assert "/data/runs/j/1/spec.json" in report.message


def test_a_worker_for_ray_without_ray_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(Unavailable, match="Ray is not installed") as caught:
        offer_of(Settings(data_dir=tmp_path, launcher="ray"))
    assert caught.value.mend == "pip install 'tunedeck[ray]'"
