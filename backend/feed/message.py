"""What the stream sends, as bytes. Each message is encoded once, however many listen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from backend.db.tables.events import EventRow
from tunedeck.readings import HostReading

COMMENT = b": still here\n\n"
RECONNECT_AFTER = b"retry: 1000\n\n"


@dataclass(frozen=True, slots=True)
class Message:
    """`id` is the place in the feed; 0 for what is not in it and cannot be replayed (log lines, readings). `job_id` is
    "" for what is of hosts and not of a job."""

    id: int
    job_id: str
    data: bytes


def of_event(row: EventRow) -> Message:
    view = {
        "id": str(row.id),
        "job_id": row.job_id,
        "attempt": row.attempt,
        "kind": row.kind,
        "t": row.t,
        "payload": row.payload,
    }
    return Message(row.id, row.job_id, b"id: %d\n%b" % (row.id, encode(row.kind, view)))


def of_log(job_id: str, attempt: int, first_line: int, lines: list[str]) -> Message:
    view = {"job_id": job_id, "attempt": attempt, "first_line": first_line, "lines": lines}
    return Message(0, job_id, encode("log", view))


def of_readings(readings: Sequence[tuple[float, HostReading]]) -> Message:
    """What hosts read, each with the time by the clock of the bus."""
    views = [{"t": at, **reading.model_dump()} for at, reading in readings]
    return Message(0, "", encode("readings", {"readings": views}))


def hello(cursor: int) -> bytes:
    """The first message: from where on the listener will hear everything. Its id makes a reconnect begin there."""
    return b"id: %d\n%b" % (cursor, encode("hello", {"cursor": str(cursor)}))


def reset(cursor: int) -> bytes:
    """What was asked for is no longer there event by event: fetch everything again, then go on from `cursor`."""
    return b"id: %d\n%b" % (cursor, encode("reset", {"cursor": str(cursor)}))


def encode(kind: str, view: dict[str, Any]) -> bytes:
    """One server-sent event without an id. orjson writes no newline inside, and null for NaN."""
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), orjson.dumps(view))
