"""What the worker of a host with GPUs would put on the bus."""

from __future__ import annotations

import redis

from tunedeck.readings import READINGS_STREAM, DeviceReading, HostReading


def reading(host: str, num_gpus: int, busy: float = 0.97, **jobs: str) -> HostReading:
    """Each GPU a little less busy than the one before it. `gpu0="…"`: the job that holds GPU 0."""
    return HostReading(
        host=host,
        processor=0.25,
        memory_bytes=64 << 30,
        devices=tuple(
            DeviceReading(
                device=index,
                job_id=jobs.get(f"gpu{index}", ""),
                utilization=round(max(0.0, busy - 0.01 * index), 3),
                memory_bytes=(71 - index) << 30,
                power_w=600.0 + index,
                power_limit_w=700.0,
                temperature_c=60.0 + index,
            )
            for index in range(num_gpus)
        ),
    )


def say(bus: redis.Redis, told: HostReading, at_s: float | None = None) -> None:
    """At a unix time of the bus's clock, which must not be before the last one; None: now."""
    bus.xadd(READINGS_STREAM, {"m": told.model_dump_json()}, id="*" if at_s is None else f"{int(at_s * 1000)}-*")
