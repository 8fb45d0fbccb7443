"""Writes what the backend wants of each job to the bus, where the workers read it.

What is new is written at once, and everything again every second, or as soon as a tick finds that the bus has lost all
its data. A scheduler that is woken often does not write a thousand records each time. The records of
jobs that are over are not deleted but run out, since a worker that was cut off may come back much later and must then
still find that it is fenced.
"""

from __future__ import annotations

import time
from typing import Literal

import redis

from backend.scheduler.situation import Situation
from tunedeck.bus import SERVICE_KEY, ControlRecord, ServiceRecord, control_key
from tunedeck.lifecycle import Desired

RECORD_LIFE_S = 24 * 3600
REPEAT_S = 0.9  # less than the scheduler's tick, so that each tick that nobody woke repeats everything
# The worker need not know what becomes of the job afterwards.
_TOLD: dict[Desired, Literal["run", "stop", "end"]] = {
    Desired.RUN: "run",
    Desired.PAUSE: "stop",
    Desired.REQUEUE: "stop",
    Desired.CANCEL: "stop",
    Desired.CANCEL_NOW: "end",
}


def records_of(situation: Situation) -> dict[str, ControlRecord]:
    """By job id: of every live attempt, and of the jobs that wait for another one, under its coming number."""
    records = {job_id: fence(attempt) for job_id, attempt in situation.tried_before}
    for live in situation.live:
        records[live.job_id] = ControlRecord(
            attempt=live.attempt,
            desired=_TOLD[Desired(live.desired)],
            ingested_seq=live.ingested_seq,
            ingested_line=live.ingested_line,
        )
    return records


def fence(attempt: int) -> ControlRecord:
    """A record that tells the worker of `attempt` that it has been replaced."""
    return ControlRecord(attempt=attempt + 1, desired="run", ingested_seq=0, ingested_line=0)


class ControlRecords:
    """Remembers what it has told."""

    def __init__(self, bus: redis.Redis, service: ServiceRecord) -> None:
        self._bus = bus
        self._service = service
        self._told: dict[str, tuple[int, str]] = {}
        self._told_all_at = -REPEAT_S

    def write(self, records: dict[str, ControlRecord]) -> None:
        """May raise redis.RedisError; then some may be written and others not, and the next call writes all again."""
        has_lost_all = not self._bus.exists(SERVICE_KEY)
        repeats = has_lost_all or time.monotonic() - self._told_all_at >= REPEAT_S
        telling: dict[str, tuple[int, str]] = {key: (each.attempt, each.desired) for key, each in records.items()}
        due = {job_id for job_id, told in telling.items() if repeats or self._told.get(job_id) != told}
        self._told = {}  # in case that it fails
        pipeline = self._bus.pipeline(transaction=False)
        pipeline.set(SERVICE_KEY, self._service.model_dump_json())
        for job_id in due:
            pipeline.set(control_key(job_id), records[job_id].model_dump_json(), ex=RECORD_LIFE_S)
        pipeline.execute()
        self._told = telling
        if repeats:
            self._told_all_at = time.monotonic()
