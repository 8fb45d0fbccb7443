"""What the worker tells of a host with real GPUs, against torch and nvidia-smi."""

from __future__ import annotations

import subprocess

import pytest
import torch

from tunedeck.bus import Device, HostFacts
from worker.cuda_probe import probe
from worker.device_health import DeviceHealth
from worker.devices import Devices
from worker.nvml import driver_version, open_nvml
from worker.readings import Reader


@pytest.fixture
def facts() -> HostFacts:
    told = probe()
    devices = tuple(Device.model_validate(device) for device in told["devices"])
    return HostFacts(
        name="here",
        kind="cuda",
        devices=devices,
        memory_bytes=1 << 37,
        cuda_version=told["cuda_version"],
        transformer_engine_version="",
        worker_version="",
    )


def test_a_host_registers_its_gpus_as_nvidia_smi_knows_them(facts: HostFacts) -> None:
    assert [
        f"{device.uuid}, {device.name}, {device.compute_capability[0]}.{device.compute_capability[1]}"
        for device in facts.devices
    ] == asked("uuid,name,compute_cap")
    assert {driver_version(open_nvml())} == set(asked("driver_version"))


def test_readings_of_a_gpu_are_those_of_nvidia_smi(facts: HostFacts) -> None:
    held = torch.zeros(1 << 30, dtype=torch.uint8, device="cuda")
    reading = Reader(facts, Devices(len(facts.devices)), open_nvml()).read()
    said = [line.split(", ") for line in asked("memory.used,power.draw,enforced.power.limit,temperature.gpu")]
    assert len(reading.devices) == len(said)
    for device, (used_mib, power_w, power_limit_w, temperature_c) in zip(reading.devices, said, strict=True):
        assert device.memory_bytes == pytest.approx(int(used_mib) << 20, abs=1 << 30)
        assert device.power_w == pytest.approx(float(power_w), rel=0.5)
        assert device.power_limit_w == pytest.approx(float(power_limit_w), abs=1)
        assert device.temperature_c == pytest.approx(float(temperature_c), abs=10)
        assert device.utilization is not None and 0 <= device.utilization <= 1
    assert reading.devices[0].memory_bytes >= held.numel()


def test_a_gpu_without_errors_has_no_fault_and_every_one_is_watched(
    facts: HostFacts, caplog: pytest.LogCaptureFixture
) -> None:
    health = DeviceHealth(open_nvml(), facts.devices)
    assert not caplog.records
    errors = [line for line in asked("ecc.errors.uncorrected.volatile.total") if line not in ("0", "[N/A]")]
    assert len(health.faults()) == len(errors)


def asked(fields: str) -> list[str]:
    """One line for each GPU, as nvidia-smi tells it."""
    command = ["nvidia-smi", f"--query-gpu={fields}", "--format=csv,noheader,nounits"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
