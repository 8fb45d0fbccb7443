"""The only way by which a worker writes to the bus. Messages of an attempt go through `publish.lua`, on the server.

The script refuses a message of an attempt that has been replaced (a worker that slept through its lease cannot publish
even one line), and it keeps, beside the stream, the position up to which the attempt has published. Both are written
together, so a bus that comes back with older data, or with none, says itself from where to send again. Two rejected
alternatives: to check the control record first and then XADD (the answer may be stale by then), and to notice a lost
bus by its run id (a restart that kept everything would send everything twice).

The stream has a limit. Nothing is trimmed at the limit: publishing waits, because the files of the run folder keep what
was not sent. So a backend that is away for days costs the bus a bounded amount of memory and no event.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import redis

from tunedeck.bus import EVENTS_STREAM, MOST_STREAM_ENTRIES, BusMessage, ControlRecord, HelloMessage, control_key
from worker.forwarder.position import START, Position

# Longer than an attempt is ever silent; if it is not, lines that are in the database already are sent once more.
POSITION_LIFE_S = 7 * 24 * 3600
SOCKET_TIMEOUT_S = 5.0

_PUBLISH_LUA = Path(__file__).with_name("publish.lua").read_text()


class Verdict(StrEnum):
    SENT = "sent"
    FENCED = "fenced"  # the control record names another attempt
    FULL = "full"  # nobody reads the stream; try again later
    MOVED = "moved"  # the bus knows another position: it lost data, or had answered a call that we took for failed


@dataclass(frozen=True)
class Reply:
    """`position`: where the bus stands, START where it knows nothing of the attempt. `entry`: its id in the stream, ""
    for what was not sent."""

    verdict: Verdict
    position: Position
    entry: str


def connect(url: str) -> redis.Redis:
    """A client that gives up a call after seconds and leaves trying again to its caller, who knows what is at stake."""
    return redis.Redis.from_url(
        url,
        socket_timeout=SOCKET_TIMEOUT_S,
        socket_connect_timeout=SOCKET_TIMEOUT_S,
        health_check_interval=15,
        decode_responses=True,
        **({} if url.startswith("unix:") else {"socket_keepalive": True}),
    )


class Publisher:
    """Publishes for one attempt. Every method may raise redis.RedisError; a call that raised may be made again.

    `control` is the newest control record that the bus has shown, None before the first.
    """

    def __init__(self, bus: redis.Redis, job_id: str, attempt: int) -> None:
        self._bus = bus
        self._attempt = attempt
        self._keys = (EVENTS_STREAM, control_key(job_id), f"tunedeck:position:{job_id}:{attempt}")
        self._script = bus.register_script(_PUBLISH_LUA)
        self._on_bus = START
        self.control: ControlRecord | None = None

    def publish(self, message: BusMessage, after: Position) -> Reply:
        """Send a message that brings the attempt to the position `after`.

        MOVED means that the bus does not stand where this publisher left it. The reply says where it stands; the
        caller goes there, and the next call is taken as following on it.
        """
        reply = self._run(message, self._on_bus.encode(), after.encode())
        self._on_bus = reply.position
        return reply

    def publish_out_of_turn(self, message: BusMessage) -> Reply:
        """Send a message that may be lost: a heartbeat."""
        return self._run(message, "-", "-")

    def read_control(self) -> ControlRecord | None:
        raw = self._bus.get(self._keys[1])
        return ControlRecord.model_validate_json(raw) if raw else None

    def read_position(self) -> Position:
        """Where the bus stands. The next `publish` is taken as following on it."""
        self._on_bus = Position.decode(str(self._bus.get(self._keys[2]) or ""))
        return self._on_bus

    def has_entry(self, entry: str) -> bool:
        """Whether an entry of the stream, named by Reply.entry, is still there."""
        return bool(self._bus.xrange(EVENTS_STREAM, entry, entry, count=1))

    def _run(self, message: BusMessage, before: str, after: str) -> Reply:
        args = (self._attempt, MOST_STREAM_ENTRIES, message.model_dump_json(), before, after, POSITION_LIFE_S)
        verdict, control, position, entry = self._script(keys=self._keys, args=args)
        self.control = ControlRecord.model_validate_json(control) if control else self.control
        return Reply(
            Verdict(verdict),
            Position.decode(position),
            entry,
        )


def publish_hello(bus: redis.Redis, hello: HelloMessage) -> bool:
    """Send a hello unless the stream is full. It speaks for the host, so nothing fences it. May raise RedisError."""
    if bus.xlen(EVENTS_STREAM) >= MOST_STREAM_ENTRIES:
        return False
    bus.xadd(EVENTS_STREAM, {"m": hello.model_dump_json()})
    return True
