"""How the way between backend and workers is: the broker, Celery's queues, the stream back, and who reads it.

Celery's own `inspect` was rejected: it needs remote control, which costs every worker a subscription on the bus and
answers only after a time-out where one is dead. What counts can be seen from outside: a worker that is alive says
hello, one whose Celery works leaves nothing in its queue. All questions to the broker go in one round trip.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import redis

from backend.background import Background
from backend.cluster import queries
from backend.db.database import Database
from backend.db.tables.hosts import HostRow
from tunedeck.bus import EVENTS_STREAM, MOST_STREAM_ENTRIES, queue_of
from tunedeck.settings import Settings
from tunedeck.views.service import CeleryView, TaskQueueView


@dataclass(frozen=True)
class _Broker:
    """What the broker says; all zero with a `fault` where it does not answer."""

    fault: str = ""
    num_messages: int = 0
    oldest_message_s: float = 0.0
    memory_bytes: int = 0
    memory_limit_bytes: int = 0
    lengths: tuple[int, ...] = ()


def celery_health(database: Database, settings: Settings, background: Background, now: float) -> CeleryView:
    """May raise Unavailable for a database that is away, and never for a broker."""
    with database.reading() as session:
        hosts = queries.hosts(session)
        leader = queries.leader(session, now)
    broker = _ask(background.bus, [queue_of(host.name) for host in hosts])
    queues = _queues(hosts, broker.lengths or (0,) * len(hosts), now - settings.lease_s)
    return CeleryView(
        broker=not broker.fault,
        fault=broker.fault,
        num_workers_alive=sum(queue.alive for queue in queues),
        last_heard_at=max((host.last_seen_at for host in hosts), default=None),
        queues=queues,
        num_tasks_waiting=sum(queue.num_waiting for queue in queues),
        num_messages_waiting=broker.num_messages,
        most_messages=MOST_STREAM_ENTRIES,
        ingest_lag_s=broker.oldest_message_s,
        memory_bytes=broker.memory_bytes,
        memory_limit_bytes=broker.memory_limit_bytes,
        leader=leader.rpartition("/")[0] or leader,
        is_leader=leader == background.leadership.holder,
    )


def _ask(bus: redis.Redis, queues: Sequence[str]) -> _Broker:
    pipeline = bus.pipeline(transaction=False)
    pipeline.info("memory")
    pipeline.xlen(EVENTS_STREAM)
    pipeline.xrange(EVENTS_STREAM, count=1)
    for queue in queues:
        pipeline.llen(queue)
    try:
        memory, num_messages, oldest, *lengths = pipeline.execute()
    except redis.RedisError as fault:
        return _Broker(fault=str(fault))
    return _Broker(
        num_messages=num_messages,
        oldest_message_s=_age_s(oldest),
        memory_bytes=memory["used_memory"],
        memory_limit_bytes=memory.get("maxmemory", 0),
        lengths=tuple(lengths),
    )


def _age_s(entries: list[tuple[str, Any]]) -> float:
    """An entry's id begins with the milliseconds at which the bus got it."""
    return max(0.0, time.time() - int(entries[0][0].partition("-")[0]) / 1000) if entries else 0.0


def _queues(hosts: Sequence[HostRow], lengths: Sequence[int], alive_since: float) -> tuple[TaskQueueView, ...]:
    return tuple(
        TaskQueueView(
            host=host.name,
            alive=host.last_seen_at >= alive_since,
            last_seen_at=host.last_seen_at,
            num_waiting=num_waiting,
        )
        for host, num_waiting in zip(hosts, lengths, strict=True)
    )
