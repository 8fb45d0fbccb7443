"""`python -m worker.launchers.ray.cluster ADDRESS NAME`: prints what a Ray cluster has, one line of JSON each time that
changes, until its standard input ends.

A node is asked once, by a task that takes no resources, what `host_facts` says of it; how many of its devices count is
Ray's to say, which may have been told to offer fewer, or more CPUs than there are cores.
"""

from __future__ import annotations

import argparse
import os
import select
import sys
from collections.abc import Iterable
from typing import Any

import ray
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from tunedeck.bus import HostFacts
from worker.host_facts import host_facts

LOOK_S = 2.0
FACTS_S = 180.0  # probing the GPUs of a node imports torch there, perhaps for the first time


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m worker.launchers.ray.cluster", description=__doc__)
    parser.add_argument("address")
    parser.add_argument("name", help="of the host as which the cluster appears")
    arguments = parser.parse_args()
    ray.init(address=arguments.address, namespace="tunedeck", log_to_driver=False, logging_level="WARNING")
    known: dict[str, HostFacts] = {}
    said = ""
    while True:
        nodes = [node for node in ray.nodes() if node["Alive"]]
        _meet([node for node in nodes if node["NodeID"] not in known], known)
        told = [_offered(known[node["NodeID"]], node["Resources"]) for node in nodes if node["NodeID"] in known]
        text = cluster_facts(arguments.name, told).model_dump_json() if told else ""
        if text != said:
            print(text, flush=True)
            said = text
        if select.select([0], [], [], LOOK_S)[0] and not os.read(0, 1):
            return


def cluster_facts(name: str, nodes: Iterable[HostFacts]) -> HostFacts:
    """One host of all nodes that have GPUs, or of all where none has. The oldest versions count, since every node has
    to run the same engine."""
    nodes = list(nodes)
    kind = "cuda" if any(node.kind == "cuda" for node in nodes) else "cpu"
    chosen = [node for node in nodes if node.kind == kind and node.devices]
    devices = [device for node in chosen for device in node.devices]
    return HostFacts(
        name=name,
        kind=kind,
        devices=tuple(device.model_copy(update={"index": index}) for index, device in enumerate(devices)),
        memory_bytes=sum(node.memory_bytes for node in chosen),
        cuda_version=min(node.cuda_version for node in chosen),
        driver_version=min(node.driver_version for node in chosen),
        transformer_engine_version=min(node.transformer_engine_version for node in chosen),
        worker_version=min(node.worker_version for node in chosen),
        launcher="ray",
        num_devices_of_nodes=tuple(len(node.devices) for node in chosen),
    )


def _meet(nodes: list[dict[str, Any]], known: dict[str, HostFacts]) -> None:
    calls = {_facts_of(node): node for node in nodes}
    for call, node in calls.items():
        try:
            known[node["NodeID"]] = HostFacts.model_validate_json(ray.get(call, timeout=FACTS_S))
        except RayError as fault:  # the node went again, or cannot import us; it is asked again
            print(f"{node['NodeManagerAddress']} does not say what it has: {fault}", file=sys.stderr, flush=True)


def _facts_of(node: dict[str, Any]) -> Any:
    there = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
    task = ray.remote(_own_facts).options(num_cpus=0, scheduling_strategy=there, max_retries=0)
    return task.remote(node["NodeManagerAddress"])


def _own_facts(name: str) -> str:
    """In a Ray task, which sees no GPU that it has not asked for."""
    os.environ.pop("CUDA_VISIBLE_DEVICES", None)
    return host_facts(name).model_dump_json()


def _offered(facts: HostFacts, resources: dict[str, float]) -> HostFacts:
    num_devices = int(resources.get("GPU" if facts.kind == "cuda" else "CPU", 0))
    devices = tuple(facts.devices[index % len(facts.devices)] for index in range(num_devices))
    return facts.model_copy(update={"devices": devices})


if __name__ == "__main__":
    main()
