"""What the strips of the cluster page cost a backend: 200 hosts with eight GPUs that are read every two seconds.

    python -m bench.readings --hosts 200 --gpus 8

Prints a JSON object a row. Processor time, not wall time: the machine may be busy.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import redis

from backend.bus import connect
from backend.cluster.readings import Readings
from backend.feed.hub import Hub, Topics
from tests.support.readings import reading
from tests.support.valkey import ValkeyServer
from tunedeck.readings import READINGS_KEPT_S, READINGS_STREAM

EVERY_S = 2.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hosts", type=int, default=200)
    parser.add_argument("--gpus", type=int, default=8)
    parser.add_argument("--seconds", type=int, default=60, help="of the cluster's life that are taken in")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bus-") as folder:
        server = ValkeyServer(Path(folder))
        server.start()
        try:
            _measure(connect(server.url), asked.hosts, asked.gpus, asked.seconds)
        finally:
            server.stop()


def _measure(bus: redis.Redis, num_hosts: int, num_gpus: int, num_seconds: int) -> None:
    texts = [reading(f"host-{number}", num_gpus).model_dump_json() for number in range(num_hosts)]
    readings = Readings(bus, Hub())
    used = bus.info("memory")["used_memory"]
    _say(bus, texts, int(READINGS_KEPT_S / EVERY_S))
    _row("memory of the broker, ten minutes of readings", bus.info("memory")["used_memory"] - used, "B")
    tracemalloc.start()
    readings.round()
    _row("memory of the backend, the same", tracemalloc.get_traced_memory()[0], "B")
    tracemalloc.stop()
    _row("a backend that starts reads ten minutes", _cpu_s(Readings(bus, Hub()).round), "s of processor")
    _row("going on, nobody looks", _share(bus, readings, texts, num_seconds), "of a core")
    _row("going on, somebody looks", asyncio.run(_watched_share(bus, texts, num_seconds)), "of a core")
    _row("one host for a page", _cpu_s(lambda: readings.of_host("host-0").model_dump_json()), "s of processor")


async def _watched_share(bus: redis.Redis, texts: list[str], num_seconds: int) -> float:
    hub = Hub()
    readings = Readings(bus, hub)
    readings.round()
    with hub.listening(Topics(readings=True)):
        return await asyncio.to_thread(_share, bus, readings, texts, num_seconds)


def _share(bus: redis.Redis, readings: Readings, texts: list[str], num_seconds: int) -> float:
    """Processor time by time of the cluster; a round takes in what comes in EVERY_S."""
    spent_s = 0.0
    for _ in range(int(num_seconds / EVERY_S)):
        _say(bus, texts, 1)
        spent_s += _cpu_s(readings.round)
    return spent_s / num_seconds


def _say(bus: redis.Redis, texts: list[str], times: int) -> None:
    for _ in range(times):
        pipeline = bus.pipeline(transaction=False)
        for text in texts:
            pipeline.xadd(READINGS_STREAM, {"m": text})
        pipeline.execute()


def _cpu_s(call: Callable[[], object]) -> float:
    began = time.thread_time()
    call()
    return time.thread_time() - began


def _row(what: str, ours: float, unit: str) -> None:
    print(json.dumps({"what": what, "ours": round(ours, 5), "unit": unit}), flush=True)


if __name__ == "__main__":
    main()
