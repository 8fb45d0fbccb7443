"""How the service itself is: backend, broker and the way between them."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tunedeck.component import Component


class TaskQueueView(Component):
    """The Celery queue of one host. Its worker takes a message at once, so more than none for seconds is a fault."""

    host: str
    alive: bool
    last_seen_at: float
    num_waiting: int


class CeleryView(Component):
    """How the way between backend and workers is: broker, queues, the stream back, and who reads it."""

    broker: bool
    fault: str = Field(description='why the broker does not answer; ""')
    num_workers_alive: int
    last_heard_at: float | None = Field(description="the newest hello of any worker; None: there was none")
    queues: tuple[TaskQueueView, ...] = Field(description="of every host that ever said hello")
    num_tasks_waiting: int
    num_messages_waiting: int = Field(description="of workers, that are not in the database yet")
    most_messages: int = Field(description="at which workers wait; nothing is lost")
    ingest_lag_s: float = Field(description="age of the oldest of them; 0 where there is none")
    memory_bytes: int = Field(description="that the broker uses")
    memory_limit_bytes: int = Field(description="0: none was set")
    leader: str = Field(description='of the backends, which one schedules and ingests: HOST/PROCESS; "": none')
    is_leader: bool = Field(description="whether it is the one that answers")


class HealthView(Component):
    status: Literal["ok", "degraded"]
    version: str
    database: bool
    bus: bool
    num_hosts: int
    ingest_lag_s: float
    detail: tuple[str, ...] = Field(description="one sentence for each thing that is not well")
