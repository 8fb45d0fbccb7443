"""Pools: hosts that could stand in for each other. A job is resolved for one pool and never leaves it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

RAY = "ray"
# A Ray cluster deals out its devices itself, so places for attempts are counted instead. Ray has a queue of its own,
# but each attempt in it costs the worker a process of some 150 MB.
MOST_ATTEMPTS_IN_RAY = 16


def pool_of(launcher: str, device: str) -> str:
    """`cpu`, `cuda`, or that kind under Ray: `ray-cuda`."""
    return f"{RAY}-{device}" if launcher == RAY else device


def pool_of_host(facts: Mapping[str, Any]) -> str:
    """The pool of a host that said these HostFacts; before there were launchers all hosts were local."""
    return pool_of(facts.get("launcher", "local"), facts["kind"])


def is_ray(pool: str) -> bool:
    return pool.startswith(f"{RAY}-")
