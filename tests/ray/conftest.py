from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.ray.cluster import Cluster, OneNode, has_ray, why_no_namespaces

NODES = "nodes"
NUM_CPUS = 4


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Two nodes take two minutes on two cores, so they are started only where somebody asks for them."""
    without_ray = pytest.mark.skip(reason="Ray is not installed: pip install 'tunedeck[ray]'")
    unasked = pytest.mark.skip(reason="starts several Ray nodes: make ray")
    for item in items:
        if item.get_closest_marker(NODES) and NODES not in config.option.markexpr:
            item.add_marker(unasked)
        if "tests/ray" in str(item.path) and not has_ray():
            item.add_marker(without_ray)


@pytest.fixture(scope="module")
def one_node() -> Iterator[OneNode]:
    with OneNode(NUM_CPUS) as cluster:
        yield cluster


@pytest.fixture
def two_nodes() -> Iterator[Cluster]:
    if reason := why_no_namespaces():
        pytest.skip(reason)
    with Cluster(num_nodes=2, num_cpus=1) as cluster:
        yield cluster
