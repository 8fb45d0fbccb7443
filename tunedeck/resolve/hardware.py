"""Which kind of host a job is resolved for, and what is left of its devices for data parallelism."""

from __future__ import annotations

from collections.abc import Sequence

from tunedeck.bus import HostFacts
from tunedeck.errors import Problem
from tunedeck.resolve.nodes import largest_node, resolve_nodes
from tunedeck.resolved import ResolvedHardware, ResolvedParallelism
from tunedeck.spec import JobSpec

# Data loading and checkpoint writing use a few threads beside the one that feeds the GPU.
THREADS_PER_GPU_PROCESS = 4
_FIELD = "resources.num_devices"


def choose_host(spec: JobSpec, hosts: Sequence[HostFacts], problems: list[Problem]) -> HostFacts | None:
    """The host kind that the job is resolved for: GPUs where there are any, else CPU; the largest host of that kind.

    Only hosts of the launcher that is asked for; a Ray cluster counts as one host, to which nodes may yet come.
    """
    wanted, launcher = spec.resources.num_devices, spec.resources.launcher
    hosts = [host for host in hosts if host.launcher == launcher]
    if not hosts:
        problems.append(_no_worker(spec))
        return None
    kind = "cuda" if any(host.kind == "cuda" for host in hosts) else "cpu"
    largest = max((host for host in hosts if host.kind == kind), key=lambda host: len(host.devices))
    available = len(largest.devices)
    if wanted > available and launcher == "local":
        what = "GPUs" if kind == "cuda" else "CPU cores"
        message = f"{wanted} devices were asked for, the largest host ({largest.name}) has {available} {what}"
        mend = f"ask for at most {available}, or set resources.launcher to ray to use several hosts"
        problems.append(Problem(_FIELD, wanted, message, mend))
    return largest


def _no_worker(spec: JobSpec) -> Problem:
    if spec.resources.launcher == "local":
        return Problem(_FIELD, spec.resources.num_devices, "no worker is connected", "start one: `tunedeck up`")
    message, mend = "no worker speaks for a Ray cluster", "start one on its head node (docs/using.md), or use local"
    return Problem("resources.launcher", spec.resources.launcher, message, mend)


def resolve_hardware(
    spec: JobSpec, layout: ResolvedParallelism, host: HostFacts, problems: list[Problem]
) -> ResolvedHardware:
    """Experts are laid out over the same devices a second time, so both products must divide their number."""
    num_devices = spec.resources.num_devices
    dense = {
        "tensor": layout.tensor_model_parallel_size,
        "pipeline": layout.pipeline_model_parallel_size,
        "context": layout.context_parallel_size,
    }
    experts = {
        "expert-tensor": layout.expert_tensor_parallel_size,
        "expert": layout.expert_model_parallel_size,
        "pipeline": layout.pipeline_model_parallel_size,
    }
    model_parallel = _check_parts(num_devices, dense, problems)
    if layout.expert_model_parallel_size > 1 or layout.expert_tensor_parallel_size > 1:
        _check_parts(num_devices, experts, problems)
    num_nodes = resolve_nodes(spec, layout.tensor_model_parallel_size, host, problems)
    ranks_per_node = max(1, num_devices // num_nodes)
    threads = THREADS_PER_GPU_PROCESS if host.kind == "cuda" else max(1, largest_node(host) // ranks_per_node)
    return ResolvedHardware(
        device=host.kind,
        num_devices=num_devices,
        data_parallel_size=max(1, num_devices // model_parallel),
        threads_per_process=threads,
        launcher=spec.resources.launcher,
        num_nodes=num_nodes,
        is_spread=spec.resources.num_nodes is not None and num_nodes > 1,
    )


def _check_parts(num_devices: int, sizes: dict[str, int], problems: list[Problem]) -> int:
    """The product of the sizes, which must divide the devices."""
    product = 1
    for size in sizes.values():
        product *= size
    if num_devices % product:
        factors = " × ".join(f"{name} {size}" for name, size in sizes.items())
        message = f"{num_devices} devices cannot be parted into groups of {product} ({factors})"
        problems.append(Problem(_FIELD, num_devices, message, f"use a multiple of {product}"))
    return product
