"""Writes what the backend wants of each job to the bus, where the workers read it.

Everything is written again at every tick: a bus that lost all its data is whole again within a second. The records of
jobs that are over are not deleted but run out, since a worker that was cut off may come back much later and must then
still find that it is fenced.
"""

from __future__ import annotations

from typing import Literal

import redis

from backend.scheduler.situation import Situation
from tunedeck.bus import SERVICE_KEY, ControlRecord, ServiceRecord, control_key
from tunedeck.lifecycle import Desired

RECORD_LIFE_S = 24 * 3600
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
    records = {job_id: fence(attempt) for job_id, attempt in situation.queued if attempt > 0}
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


def write(bus: redis.Redis, service: ServiceRecord, records: dict[str, ControlRecord]) -> None:
    """May raise redis.RedisError; then some may be written and others not, and the next tick writes all again."""
    pipeline = bus.pipeline(transaction=False)
    pipeline.set(SERVICE_KEY, service.model_dump_json())
    for job_id, record in records.items():
        pipeline.set(control_key(job_id), record.model_dump_json(), ex=RECORD_LIFE_S)
    pipeline.execute()
