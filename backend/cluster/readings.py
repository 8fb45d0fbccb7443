"""The last ten minutes of what the hosts read off their devices, held in memory and pushed to who looks.

Every backend reads the stream of readings for itself, from its beginning when it starts, so all show the same and none
must be the leader; what is older than READINGS_KEPT_S each of them trims. They are kept as texts, as the workers wrote
them, and parsed again when a page asks for a host: as objects the 60,000 of 200 hosts would take ten times the memory.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Iterable
from typing import cast

import redis
from pydantic import ValidationError

from backend.feed.hub import Hub
from backend.feed.message import of_readings
from tunedeck.readings import READINGS_KEPT_S, READINGS_STREAM, HostReading
from tunedeck.views.hosts import DeviceReadingsView, HostReadingsView

log = logging.getLogger(__name__)

READ_EVERY_S = 1.0
TRIM_EVERY_S = 30.0
MOST_AT_ONCE = 2_000
FIRST_ID = "0-0"

Entry = tuple[str, dict[str, str]]


class Readings:
    """`round` is called by one thread, the rest by any."""

    def __init__(self, bus: redis.Redis, hub: Hub) -> None:
        self._bus = bus
        self._hub = hub
        self._last_id = FIRST_ID
        self._trimmed_at = 0.0
        self._lock = threading.Lock()
        self._texts: dict[str, deque[tuple[float, str]]] = {}

    def round(self) -> None:
        """Take in what came since the last call. May raise redis.RedisError."""
        while entries := self._read():
            fresh = [(_time_of(entry_id), fields.get("m", "")) for entry_id, fields in entries]
            parsed = [(at, text, reading) for at, text in fresh if (reading := _parse(text))]
            self._keep((reading.host, at, text) for at, text, reading in parsed)
            if self._hub.num_listeners_to_readings:
                self._hub.publish([of_readings([(at, reading) for at, _, reading in parsed])])
            self._last_id = entries[-1][0]
            if len(entries) < MOST_AT_ONCE:
                self._trim(fresh[-1][0])
                return
        self._notice_a_new_bus()

    def of_host(self, host: str) -> HostReadingsView:
        """Everything that is kept of one host, oldest first; empty for one that says nothing."""
        with self._lock:
            texts = list(self._texts.get(host, ()))
        return _view(host, [(at, HostReading.model_validate_json(text)) for at, text in texts])

    def _read(self) -> list[Entry]:
        answer = self._bus.xread({READINGS_STREAM: self._last_id}, count=MOST_AT_ONCE)
        if not answer:
            return []
        [(_, entries)] = cast("list[tuple[str, list[Entry]]]", answer)
        return entries

    def _keep(self, readings: Iterable[tuple[str, float, str]]) -> None:
        with self._lock:
            newest = 0.0
            for host, at, text in readings:
                self._texts.setdefault(host, deque()).append((at, text))
                newest = at
            for host in [host for host, texts in self._texts.items() if texts[-1][0] < newest - READINGS_KEPT_S]:
                del self._texts[host]
            for texts in self._texts.values():
                while texts[0][0] < newest - READINGS_KEPT_S:
                    texts.popleft()

    def _trim(self, newest: float) -> None:
        if newest - self._trimmed_at < TRIM_EVERY_S:
            return
        self._trimmed_at = newest
        self._bus.xtrim(READINGS_STREAM, minid=str(int((newest - READINGS_KEPT_S) * 1000)))

    def _notice_a_new_bus(self) -> None:
        """One that lost its data and whose clock is behind gives ids that are behind ours: begin again with it."""
        newest = cast("list[Entry]", self._bus.xrevrange(READINGS_STREAM, count=1))
        if newest and _order(newest[0][0]) < _order(self._last_id):
            log.info("the readings of the bus begin anew")
            self._last_id, self._trimmed_at = FIRST_ID, 0.0
            with self._lock:
                self._texts.clear()


def _parse(text: str) -> HostReading | None:
    try:
        return HostReading.model_validate_json(text)
    except ValidationError as fault:
        log.error("a reading that is none of ours is left out: %.200s: %s", text, fault)
        return None


def _time_of(entry_id: str) -> float:
    return int(entry_id.partition("-")[0]) / 1000


def _order(entry_id: str) -> tuple[int, int]:
    milliseconds, _, number = entry_id.partition("-")
    return int(milliseconds), int(number)


def _view(host: str, readings: list[tuple[float, HostReading]]) -> HostReadingsView:
    """Columns: a page draws a strip of each, and the names are said once instead of three hundred times."""
    indices = sorted({each.device for _, reading in readings for each in reading.devices})
    by_index = [{each.device: each for each in reading.devices} for _, reading in readings]
    return HostReadingsView(
        host=host,
        times=tuple(at for at, _ in readings),
        processor=tuple(reading.processor for _, reading in readings),
        memory_bytes=tuple(reading.memory_bytes for _, reading in readings),
        devices=tuple(DeviceReadingsView.of(index, [found.get(index) for found in by_index]) for index in indices),
    )
