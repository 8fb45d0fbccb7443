"""What a host reads off its devices every few seconds: how busy, how full, how much power, how warm.

They travel on a stream of their own, READINGS_STREAM, each entry with one field `m`, a HostReading as JSON, and the
time of a reading is the id that the bus gives its entry, so that all hosts are on one clock. The stream itself is what
remembers the last READINGS_KEPT_S: every backend reads it, leader or not, and none writes it to the database, where 200
hosts would cost a hundred rows a second that nobody wants to keep. A bus that is lost takes ten minutes of strips along
and nothing else. Within the hello they would have gone through ingest, and only the leader would have them.
"""

from __future__ import annotations

from typing import NamedTuple

from pydantic import Field

from tunedeck.spec import Component

READINGS_STREAM = "tunedeck:readings"
READINGS_KEPT_S = 600.0
# What bounds the stream while no backend trims it by age: ten minutes of 200 hosts, about 20 MB.
MOST_READINGS = 60_000


class DeviceReading(NamedTuple):
    """A list on the wire. None: the driver does not tell (a MIG slice has no utilisation of its own).

    `device`: its index. `job_id`: who holds it, "": nobody. `utilization`: share of the driver's last sampling
    period in which a kernel ran.
    """

    device: int
    job_id: str
    utilization: float | None
    memory_bytes: int | None
    power_w: float | None
    power_limit_w: float | None
    temperature_c: float | None


class HostReading(Component):
    """`processor`: the busy share of the cores that the worker may use. `memory_bytes`: in use on the host, or in the
    container where that has a limit. `devices`: its GPUs; none where the cores are what it offers."""

    host: str
    processor: float = Field(ge=0, le=1)
    memory_bytes: int = Field(ge=0)
    devices: tuple[DeviceReading, ...] = ()
