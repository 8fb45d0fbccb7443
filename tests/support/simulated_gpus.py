"""`python -m tests.support.simulated_gpus`: joins a service as a machine with two GPUs, one of which had an error.

Only what the machine has is simulated: facts, and NVML's answers. Worker, supervisor and processes are the real ones,
and the fake engine trains.
"""

from __future__ import annotations

import logging
import sys

from tests.support.jobs import facts_of
from tests.worker.test_device_health import Library
from tunedeck.settings import Settings
from worker.__main__ import serve
from worker.device_health import DeviceHealth
from worker.devices import Devices
from worker.joining import joined
from worker.offer import Offer
from worker.publisher import connect
from worker.readings import Reader

NAME = "gpu-2"


def main() -> int:
    logging.basicConfig(level=logging.INFO)
    settings = Settings()
    found = facts_of(NAME, num_devices=2, device="NVIDIA H200")
    named = tuple(device.model_copy(update={"uuid": f"GPU-{device.index}"}) for device in found.devices)
    facts = found.model_copy(update={"devices": named, "transformer_engine_version": "2.20.2"})
    library = Library({"GPU-0": 1, "GPU-1": 0})
    health = DeviceHealth(library, facts.devices)
    settings = joined(settings, connect(settings.resolved_redis_url()))
    devices = Devices(len(facts.devices))
    reader = Reader(facts, devices, library)
    offer = Offer(NAME, lambda: facts, health.faults, reader.read, devices, lambda: None)
    return serve(settings, offer, "tests.worker.fake_engine")


if __name__ == "__main__":
    sys.exit(main())
