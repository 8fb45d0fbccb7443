"""Reads the workers' stream, and removes from it what is safe in the database.

A consumer group was rejected: there is one reader, its place is "whatever is still there", and a group would be state
that a restarted bus can lose.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import cast

import redis
from pydantic import ValidationError

from tunedeck.bus import EVENTS_STREAM, BusMessage, EventsMessage, HeartbeatMessage, LogMessage, message_adapter

log = logging.getLogger(__name__)

# × 64 KiB a message: at most 4 MiB and some ten thousand events in one read.
MOST_ENTRIES = 64
# What one transaction takes in, some tenth of a second of the write lock, for which placing waits: few large messages,
# or many small ones, which cost no more each than twice as many would.
MOST_BYTES = 2 << 20
MOST_MESSAGES = 320
BLOCK_S = 0.5


@dataclass(frozen=True)
class Entries:
    messages: tuple[BusMessage, ...]
    last_id: str
    """"": nothing came."""
    is_full: bool
    """Whether more may be waiting."""
    num_bytes: int = 0

    @property
    def has_room(self) -> bool:
        """Whether another read may go into the same transaction."""
        return self.num_bytes < MOST_BYTES and len(self.messages) < MOST_MESSAGES

    @property
    def may_wait(self) -> bool:
        """Whether nothing but points, log lines and signs of life came, and there is room for more."""
        routine = EventsMessage | LogMessage | HeartbeatMessage
        is_routine = bool(self.messages) and all(isinstance(message, routine) for message in self.messages)
        return is_routine and len(self.messages) < MOST_ENTRIES and not self.is_full

    def __add__(self, later: Entries) -> Entries:
        num_bytes = self.num_bytes + later.num_bytes
        return Entries(self.messages + later.messages, later.last_id or self.last_id, later.is_full, num_bytes)

    def age_s(self) -> float:
        """How long ago the bus got the newest of them, in seconds."""
        return max(0.0, time.time() - int(self.last_id.partition("-")[0]) / 1000) if self.last_id else 0.0


class EventStream:
    """Every method may raise redis.RedisError; `read` then begins again with all that the stream still holds."""

    def __init__(self, bus: redis.Redis) -> None:
        self._bus = bus
        self._last_id = "0-0"

    def read(self, patience_s: float) -> Entries:
        """What came after the last read; waits for up to `patience_s`. What makes no sense is logged and left out."""
        block_ms = int(patience_s * 1000) or None  # 0 would mean for ever
        try:
            answer = self._bus.xread({EVENTS_STREAM: self._last_id}, count=MOST_ENTRIES, block=block_ms)
        except redis.RedisError:
            self.rewind()
            raise
        if not answer:
            return Entries((), "", is_full=False)
        [(_, entries)] = cast("list[tuple[str, list[tuple[str, dict[str, str]]]]]", answer)
        self._last_id = entries[-1][0]
        parsed = (_parse(entry_id, fields) for entry_id, fields in entries)
        messages = tuple(message for message in parsed if message is not None)
        num_bytes = sum(len(fields.get("m", "")) for _, fields in entries)
        return Entries(messages, self._last_id, len(entries) == MOST_ENTRIES, num_bytes)

    def remove_up_to(self, last_id: str) -> None:
        milliseconds, _, number = last_id.partition("-")
        self._bus.xtrim(EVENTS_STREAM, minid=f"{milliseconds}-{int(number) + 1}", approximate=False)

    def rewind(self) -> None:
        """Read again whatever was not removed."""
        self._last_id = "0-0"


def _parse(entry_id: str, fields: dict[str, str]) -> BusMessage | None:
    try:
        return message_adapter.validate_json(fields.get("m", ""))
    except ValidationError as fault:
        log.error("entry %s of the stream is no message of ours and is left out: %s", entry_id, fault)
        return None
