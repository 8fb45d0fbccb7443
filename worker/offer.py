"""What a worker offers: the devices of its own host, or those of a Ray cluster that it speaks for."""

from __future__ import annotations

import importlib.util
import socket
from collections.abc import Callable
from dataclasses import dataclass

from tunedeck.bus import DeviceFault, HostFacts
from tunedeck.errors import Unavailable
from tunedeck.readings import HostReading
from tunedeck.settings import Settings
from worker.device_health import DeviceHealth
from worker.devices import Dealer, DealtOutElsewhere, Devices
from worker.host_facts import has_nvidia_driver, host_facts
from worker.launchers.ray.cluster_watch import ClusterWatch
from worker.nvml import driver_version, open_nvml
from worker.readings import Reader

RAY_NAME = "ray"


@dataclass(frozen=True)
class Offer:
    """`facts` answers None while there is nothing to offer; `faults` tells those of the devices since last asked;
    `read` tells how busy they are, None for those of other hosts."""

    name: str
    facts: Callable[[], HostFacts | None]
    faults: Callable[[], tuple[DeviceFault, ...]]
    read: Callable[[], HostReading | None]
    devices: Dealer
    stop: Callable[[], None]


def offer_of(settings: Settings) -> Offer:
    """Takes seconds on a machine with an NVIDIA driver. Raises Unavailable where Ray is asked for and not installed."""
    if settings.launcher == "ray":
        if importlib.util.find_spec("ray") is None:
            raise Unavailable("TUNEDECK_LAUNCHER is ray, but Ray is not installed", "pip install 'tunedeck[ray]'")
        name = settings.host_name or RAY_NAME
        watch = ClusterWatch(settings.ray_address, name)
        return Offer(name, watch.facts, tuple, lambda: None, DealtOutElsewhere(), watch.stop)
    nvml = open_nvml() if has_nvidia_driver() else None
    facts = host_facts(settings.host_name or socket.gethostname(), driver_version(nvml))
    health = DeviceHealth(nvml, facts.devices) if nvml is not None and facts.kind == "cuda" else None
    faults = health.faults if health else tuple
    devices = Devices(len(facts.devices))
    return Offer(facts.name, lambda: facts, faults, Reader(facts, devices, nvml).read, devices, lambda: None)
