"""A ResolvedSpec for tests that only look at layout, precision and hardware."""

from __future__ import annotations

from typing import Any

from tests.support.resolved import resolved
from tunedeck.resolved import ResolvedSpec


def layout_spec(num_devices: int = 1, device: str = "cpu", **changes: dict[str, Any]) -> ResolvedSpec:
    """`changes` are laid over sections of the spec that tests start from."""
    return resolved(hardware={"device": device, "num_devices": num_devices}, **changes)
