"""Asks Ray for the devices of an attempt, all or none, and waits for them in Ray's queue."""

from __future__ import annotations

from collections.abc import Callable

import ray
from ray.util.placement_group import PlacementGroup, placement_group

from worker.launchers.launcher import Launch

PATIENCE_S = 2.0  # a grant within it is no waiting


def bundle_of(launch: Launch) -> dict[str, float]:
    """What one node must have. A GPU's processes are fed by one more, which Ray counts as a CPU."""
    num_devices = launch.num_processes // launch.num_nodes
    return {"CPU": num_devices} if launch.device == "cpu" else {"GPU": num_devices, "CPU": 1}


def wait_for_placement(
    launch: Launch, say: Callable[[str], None], is_unwanted: Callable[[], bool]
) -> PlacementGroup | None:
    """The placement group when it has been granted; None when nobody wants it any more.

    STRICT_SPREAD where the nodes must be different hosts. PACK else: bundles share hosts where they fit, so that few
    connections leave a host.
    """
    bundle = bundle_of(launch)
    group = placement_group([bundle] * launch.num_nodes, strategy="STRICT_SPREAD" if launch.is_spread else "PACK")
    said = ""
    while not group.wait(PATIENCE_S):
        if is_unwanted():
            return None
        if (text := f"waits in Ray's queue for {_wanted(launch, bundle)}; {_there_is()}") != said:
            say(said := text)
    return group


def _wanted(launch: Launch, bundle: dict[str, float]) -> str:
    nodes = "different nodes" if launch.is_spread else "nodes"
    return f"{launch.num_nodes} {nodes} with {_amounts(bundle)} each" if launch.num_nodes > 1 else _amounts(bundle)


def _there_is() -> str:
    nodes = [node for node in ray.nodes() if node["Alive"]]
    alive = ", ".join(f"{node['NodeManagerAddress']} ({_amounts(node['Resources'])})" for node in nodes)
    free = _amounts(ray.available_resources())
    return f"alive: {alive or 'no node'}; free of all that: {free}"


def _amounts(resources: dict[str, float]) -> str:
    told = [f"{resources[name]:g} {name}" for name in ("GPU", "CPU") if resources.get(name)]
    return " and ".join(told) or "nothing"
