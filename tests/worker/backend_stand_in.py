"""What the worker sees of a backend: it sends a wake-up, writes control records, reads the stream and trims it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any, Literal, cast

import redis
from celery import Celery

from tests.worker.orders import HOST
from tunedeck.bus import (
    EVENTS_STREAM,
    RUN_ATTEMPT_TASK,
    BusMessage,
    ControlRecord,
    EndedMessage,
    EventsMessage,
    HelloMessage,
    LogMessage,
    RunAttempt,
    broker_url,
    control_key,
    message_adapter,
    queue_of,
)


class BackendStandIn:
    """Keeps all it has read in `messages`; what it has read is trimmed, as the ingest does after its commit."""

    def __init__(self, bus: redis.Redis, url: str) -> None:
        self.bus = bus
        self.messages: list[BusMessage] = []
        self._celery = Celery("tunedeck", broker=broker_url(url), set_as_current=False)

    def send(self, order: RunAttempt) -> None:
        self._celery.send_task(
            RUN_ATTEMPT_TASK, args=(order.model_dump_json(),), queue=queue_of(HOST), retry=False, ignore_result=True
        )

    def begin(self, order: RunAttempt) -> None:
        self.write_control(order)
        self.send(order)

    def write_control(
        self, order: RunAttempt, desired: Literal["run", "stop", "end"] = "run", attempt: int | None = None
    ) -> None:
        lines = self.log_lines(order)
        record = ControlRecord(
            attempt=order.attempt if attempt is None else attempt,
            desired=desired,
            ingested_seq=max((event["seq"] for event in self.events(order)), default=0),
            ingested_line=max(lines, default=0),
        )
        self.bus.set(control_key(order.job_id), record.model_dump_json())

    def read(self) -> None:
        entries = cast("list[tuple[str, dict[str, str]]]", self.bus.xrange(EVENTS_STREAM))
        for entry_id, fields in entries:
            self.messages.append(message_adapter.validate_json(fields["m"]))
            self.bus.xdel(EVENTS_STREAM, entry_id)

    def read_until(self, is_enough: Callable[[], Any], seconds: float = 10.0) -> None:
        deadline = time.monotonic() + seconds
        while not is_enough():
            if time.monotonic() > deadline:
                raise TimeoutError(f"not within {seconds} s; read so far: {self.messages[-5:]}")
            time.sleep(0.02)
            self.read()

    def of(self, order: RunAttempt) -> list[BusMessage]:
        return [m for m in self.messages if not isinstance(m, HelloMessage) and _is_of(m, order)]

    def events(self, order: RunAttempt) -> list[dict[str, Any]]:
        batches = [m for m in self.messages if isinstance(m, EventsMessage) and _is_of(m, order)]
        return [json.loads(line) for batch in batches for line in batch.lines]

    def log_lines(self, order: RunAttempt) -> dict[int, str]:
        batches = [m for m in self.messages if isinstance(m, LogMessage) and _is_of(m, order)]
        return {batch.first_line + i: line for batch in batches for i, line in enumerate(batch.lines)}

    def ends(self, order: RunAttempt) -> list[EndedMessage]:
        return [m for m in self.messages if isinstance(m, EndedMessage) and _is_of(m, order)]

    def hellos(self) -> list[HelloMessage]:
        return [m for m in self.messages if isinstance(m, HelloMessage)]


def _is_of(message: Any, order: RunAttempt) -> bool:
    return (message.job_id, message.attempt) == (order.job_id, order.attempt)
