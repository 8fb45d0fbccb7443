"""Who waits for devices, and why."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tunedeck.component import Component


class QueuedView(Component):
    """A job that waits for devices. `expected_start_at` is estimated from the time left of running jobs, whose end
    nobody else waits for earlier; None where that cannot be known. `not_before`: a retry that is not due yet."""

    position: int = Field(description="in the order in which jobs are placed, from 1")
    job_id: str
    name: str
    owner: str
    priority: int
    preemptible: bool
    device: Literal["cpu", "cuda"]
    num_devices: int
    created_at: float
    why: str
    expected_host: str = Field(description='"": not known')
    expected_start_at: float | None
    not_before: float | None


class ShareView(Component):
    """What an owner has had of a pool of hosts lately; docs/architecture.md has the formula."""

    owner: str
    pool: str
    device_seconds: float


class QueueView(Component):
    """The first `items` of all `num_waiting` jobs, in order, and the shares of their owners."""

    items: tuple[QueuedView, ...]
    num_waiting: int
    shares: tuple[ShareView, ...]
