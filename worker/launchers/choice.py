"""Which launcher an attempt gets."""

from __future__ import annotations

from worker.launchers.launcher import Launcher
from worker.launchers.local import LocalLauncher
from worker.launchers.ray.launcher import RayLauncher


def launcher_named(name: str, ray_address: str) -> Launcher:
    """`name` is a LauncherName; the type is not imported, because pydantic would delay every start by 150 ms."""
    return RayLauncher(ray_address) if name == "ray" else LocalLauncher()
