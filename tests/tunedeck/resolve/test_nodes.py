"""Jobs over several hosts: which number of nodes is chosen, and what is refused at which field."""

from __future__ import annotations

from typing import Any

import pytest

from tests.tunedeck.resolve.facts import DATASET, MODEL, cpu_host, faulty_fields, gpu_host, resolved
from tunedeck.bus import HostFacts
from tunedeck.errors import SpecInvalid
from tunedeck.resolve import resolve
from tunedeck.spec import JobSpec


def ray_cluster(*num_devices_of_nodes: int) -> HostFacts:
    host = gpu_host()
    devices = tuple(host.devices[0] for _ in range(sum(num_devices_of_nodes)))
    changes = {"name": "ray", "launcher": "ray", "devices": devices, "num_devices_of_nodes": num_devices_of_nodes}
    return host.model_copy(update=changes)


def over_ray(num_devices: int, num_nodes: int | None = None) -> dict[str, Any]:
    return {"num_devices": num_devices, "launcher": "ray", "num_nodes": num_nodes}


@pytest.mark.parametrize(
    ("num_devices", "tensor_parallel", "num_nodes"),
    [(8, 1, 1), (12, 1, 2), (16, 4, 2), (20, 4, 5), (24, 1, 3), (64, 1, 8)],
)
def test_as_few_nodes_are_taken_as_hold_the_devices_and_keep_tensor_parallel_ranks_together(
    num_devices: int, tensor_parallel: int, num_nodes: int
) -> None:
    layout = {"tensor_model_parallel_size": tensor_parallel}
    batching = {"global_batch_size": 960}
    hardware = resolved(
        ray_cluster(8, 8), resources=over_ray(num_devices), parallelism=layout, batching=batching
    ).hardware
    assert (hardware.launcher, hardware.num_nodes, hardware.is_spread) == ("ray", num_nodes, False)
    assert hardware.num_devices_per_node == num_devices // num_nodes
    assert hardware.data_parallel_size == num_devices // tensor_parallel


def test_nodes_that_were_asked_for_must_be_different_hosts() -> None:
    hardware = resolved(ray_cluster(8, 8), resources=over_ray(4, 4)).hardware
    assert (hardware.num_nodes, hardware.num_devices_per_node, hardware.is_spread) == (4, 1, True)


@pytest.mark.parametrize(
    ("resources", "field"),
    [
        (over_ray(8, 3), "num_nodes"),
        (over_ray(32, 2), "num_nodes"),  # 16 on each, and the largest has 8
        ({"num_devices": 4, "num_nodes": 2}, "num_nodes"),  # on one host
    ],
)
def test_nodes_that_cannot_be_are_refused(resources: dict[str, Any], field: str) -> None:
    host = ray_cluster(8, 8) if "launcher" in resources else gpu_host()
    assert field in faulty_fields(host, resources=resources)


def test_more_nodes_than_the_cluster_has_now_may_be_waited_for() -> None:
    assert resolved(ray_cluster(2), resources=over_ray(8)).hardware.num_nodes == 4


def test_a_host_of_another_launcher_is_no_host() -> None:
    spec = {"name": "job", "model": "tiny", "dataset": "questions"}
    for hosts, resources, field in (
        ([cpu_host()], over_ray(1), "resources.launcher"),
        ([ray_cluster(8)], {"num_devices": 1}, "resources.num_devices"),
    ):
        with pytest.raises(SpecInvalid) as caught:
            resolve(JobSpec.model_validate(spec | {"resources": resources}), MODEL, DATASET, hosts)
        assert [problem.field for problem in caught.value.problems] == [field]
