"""Workers and bus of the model: what a worker promises, in memory, so that a thousand schedules take seconds.

It claims an attempt once, numbers its events, publishes them in order and never for an attempt that it knows to be
replaced, and sends again from where the backend stands when the bus has forgotten everything. A message may be read
twice and a wake-up may come late, twice or never: that is up to the schedule.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Literal

from backend.scheduler.placement import Dispatch
from tests.support.jobs import ended_message, event_line, facts_of, step_line
from tunedeck.bus import (
    BusMessage,
    ControlRecord,
    EventsMessage,
    HeartbeatMessage,
    HelloMessage,
    RunAttempt,
    control_key,
)

Key = tuple[str, int]
Outcome = Literal["succeeded", "failed", "stopped", "fenced"]


class ModelBus:
    """As much of Redis as the scheduler uses, the workers' stream, and the wake-ups under way."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}
        self.stream: list[BusMessage] = []
        self.wake_ups: list[Dispatch] = []

    def ping(self) -> bool:
        return True

    def set(self, name: str, value: str, **_: Any) -> None:
        self.values[name] = value

    def get(self, name: str) -> str | None:
        return self.values.get(name)

    def exists(self, name: str) -> bool:
        return name in self.values

    def pipeline(self, **_: Any) -> ModelBus:
        return self

    def execute(self) -> None: ...

    def send(self, dispatch: Dispatch) -> None:
        self.wake_ups.append(dispatch)

    def close(self) -> None: ...

    def lose_all(self) -> None:
        self.values.clear()
        self.stream.clear()
        self.wake_ups.clear()


@dataclass
class Engine:
    """An attempt at work. `num_published` is None after the bus has lost its place."""

    host: str
    first_step: int
    lines: list[str] = field(default_factory=list)
    num_published: int | None = 0
    outcome: Outcome | None = None
    end_is_published: bool = False

    def say(self, kind: str, **fields: Any) -> None:
        seq = len(self.lines) + 1
        self.lines.append(step_line(seq, **fields) if kind == "step" else event_line(kind, seq, **fields))

    @property
    def next_step(self) -> int:
        steps = [json.loads(line)["step"] for line in self.lines if '"step"' in line]
        return max(steps, default=self.first_step - 1) + 1


class ModelWorkers:
    def __init__(self, bus: ModelBus, hosts: tuple[str, ...]) -> None:
        self._bus = bus
        self.hosts = hosts
        self.claimed: set[Key] = set()
        self.engines: dict[Key, Engine] = {}
        self.told: dict[Key, Outcome] = {}  # by attempts whose end was published

    def take(self, dispatch: Dispatch) -> None:
        order = dispatch.message
        key = (order.job_id, order.attempt)
        control = self._control(order.job_id)
        if key in self.claimed or (control is not None and control.attempt != order.attempt):
            return
        self.claimed.add(key)
        self.engines[key] = Engine(dispatch.host, _resumed_step(order) + 1)

    def train(self, key: Key, saves: bool) -> None:
        engine = self.engines[key]
        if engine.outcome is None:
            step = engine.next_step
            engine.say("step", step=step)
            if saves:
                path = f"checkpoints/iter_{step:07d}"
                engine.say("checkpoint", step=step, path=path, size_bytes=1, format="dist_checkpointing")

    def end(self, key: Key, outcome: Outcome) -> None:
        self.engines[key].outcome = self.engines[key].outcome or outcome

    def speak(self, key: Key) -> None:
        """One round of an attempt: obey, publish what is new, then the end."""
        engine, control = self.engines[key], self._control(key[0])
        if control is not None and control.attempt != key[1]:
            del self.engines[key]
            return
        if control is not None and control.desired != "run":
            self.end(key, "stopped")
        if engine.num_published is None:
            if control is None:
                return
            engine.num_published = control.ingested_seq
        self._publish(key, engine)

    def greet(self, host: str) -> None:
        running = tuple(key for key, engine in self.engines.items() if engine.host == host)
        self._bus.stream.append(HelloMessage(facts=facts_of(host, num_devices=2), attempts=running))

    def lose_host(self, host: str) -> None:
        self.engines = {key: engine for key, engine in self.engines.items() if engine.host != host}

    def lose_bus(self) -> None:
        self._bus.lose_all()
        for engine in self.engines.values():
            engine.num_published, engine.end_is_published = None, False

    def _publish(self, key: Key, engine: Engine) -> None:
        job_id, attempt = key
        self._bus.stream.append(HeartbeatMessage(job_id=job_id, attempt=attempt, host=engine.host))
        new = engine.lines[engine.num_published or 0 :]
        if new:
            self._bus.stream.append(EventsMessage(job_id=job_id, attempt=attempt, lines=tuple(new)))
            engine.num_published = len(engine.lines)
        if engine.outcome is not None and not engine.end_is_published:
            self._bus.stream.append(ended_message(job_id, engine.outcome, attempt, engine.host))
            engine.end_is_published = True
            self.told[key] = engine.outcome

    def _control(self, job_id: str) -> ControlRecord | None:
        raw = self._bus.get(control_key(job_id))
        return None if raw is None else ControlRecord.model_validate_json(raw)


def _resumed_step(order: RunAttempt) -> int:
    return int(order.resume_from.rpartition("_")[2]) if order.resume_from else 0
