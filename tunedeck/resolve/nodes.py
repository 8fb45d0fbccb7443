"""How the devices of a job are shared out to hosts: all to one, or evenly to several nodes of a Ray cluster.

More nodes than the cluster has now are allowed: Ray waits for them, and may start them itself. A node larger than any
that is there is refused, since what is meant is nearly always more nodes.
"""

from __future__ import annotations

from tunedeck.bus import HostFacts
from tunedeck.errors import Problem
from tunedeck.spec import JobSpec

_DEVICES, _NODES = "resources.num_devices", "resources.num_nodes"


def resolve_nodes(spec: JobSpec, tensor_parallel: int, host: HostFacts, problems: list[Problem]) -> int:
    """The number of nodes. Tensor-parallel ranks talk too much to be parted between nodes where nobody asked for it."""
    num_devices, asked = spec.resources.num_devices, spec.resources.num_nodes
    if spec.resources.launcher == "local":
        if asked is not None and asked > 1:
            message = f"{asked} nodes need a launcher for several hosts, not local"
            problems.append(Problem(_NODES, asked, message, "set resources.launcher to ray, or leave num_nodes out"))
        return 1
    largest = largest_node(host)
    if asked is None:
        return _fewest(num_devices, tensor_parallel, largest)
    if num_devices % asked:
        message = f"{num_devices} devices cannot be shared evenly by {asked} nodes"
        problems.append(Problem(_NODES, asked, message, f"use a divisor of {num_devices}"))
        return 1
    if num_devices // asked > largest:
        message = (
            f"{num_devices} devices on {asked} nodes are {num_devices // asked} on each; the largest has {largest}"
        )
        mend = f"use {_fewest(num_devices, tensor_parallel, largest)} nodes, or fewer devices"
        problems.append(Problem(_NODES, asked, message, mend))
    return asked


def largest_node(host: HostFacts) -> int:
    """Devices of the largest node of a cluster, or of the host."""
    return max(host.num_devices_of_nodes, default=len(host.devices))


def _fewest(num_devices: int, tensor_parallel: int, largest: int) -> int:
    """The fewest equal nodes of at most `largest` devices that keep tensor-parallel ranks together, if they can."""
    fitting = [n for n in range(1, num_devices + 1) if num_devices % n == 0 and num_devices // n <= max(1, largest)]
    together = [n for n in fitting if (num_devices // n) % tensor_parallel == 0]
    return (together or fitting)[0]
