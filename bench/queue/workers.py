"""Two hundred workers in one thread: they take what the scheduler sends and say what engines would say.

Each running job reports one step a second, each host says hello every `heartbeat_s`, and a job ends when its time is
over. What is sent goes through the same stream, in the same messages, as a worker's forwarder would send it.
"""

from __future__ import annotations

import base64
import json
import random
import time
from dataclasses import dataclass

import redis

from tests.support.jobs import ended_message, events_message, facts_of, step_line
from tunedeck.bus import EVENTS_STREAM, BusMessage, HelloMessage, queue_of

REPORT_EVERY_S = 1.0
# As many values as the real engine sends with a step.
METRICS = dict.fromkeys(("loss", "lr", "grad_norm", "tokens_per_s", "step_time_s", "num_tokens", "memory_bytes"), 1.0)


@dataclass
class Running:
    job_id: str
    attempt: int
    host: str
    ends_at: float
    reports_at: float
    step: int = 0


class Workers:
    """`num_started` counts the messages that were taken up since the beginning."""

    def __init__(self, bus: redis.Redis, hosts: list[str], heartbeat_s: float, mean_life_s: float) -> None:
        self.num_started = 0
        self.running: dict[str, Running] = {}
        self._bus = bus
        self._hosts = dict.fromkeys(hosts, 0.0)
        self._heartbeat_s = heartbeat_s
        self._mean_life_s = mean_life_s
        self._random = random.Random(1)

    def begin(self, job_id: str, attempt: int, host: str) -> None:
        now = time.monotonic()
        life_s = self._random.uniform(0.1, 2 * self._mean_life_s)
        reports_at = now + self._random.uniform(0, REPORT_EVERY_S)
        self.running[job_id] = Running(job_id, attempt, host, now + life_s, reports_at)

    def work(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self._take_orders()
            self._say(self._reports(time.monotonic()) + self._hellos(time.monotonic()))
            time.sleep(0.02)

    def _take_orders(self) -> None:
        pipeline = self._bus.pipeline(transaction=False)
        for host in self._hosts:
            pipeline.lpop(queue_of(host), 100)
        for host, messages in zip(self._hosts, pipeline.execute(), strict=True):
            for message in messages or ():
                body = json.loads(base64.b64decode(json.loads(message)["body"]))
                order = json.loads(body[0][0])
                self.num_started += order["job_id"] not in self.running
                self.begin(order["job_id"], order["attempt"], host)

    def _reports(self, now: float) -> list[BusMessage]:
        said: list[BusMessage] = []
        for each in [each for each in self.running.values() if each.reports_at <= now]:
            each.step += 1
            each.reports_at += REPORT_EVERY_S
            line = step_line(each.step, each.step, time.time(), **METRICS)
            said.append(events_message(each.job_id, [line], each.attempt))
            if each.ends_at <= now:
                said.append(ended_message(each.job_id, "succeeded", each.attempt, each.host))
                del self.running[each.job_id]
        return said

    def _hellos(self, now: float) -> list[BusMessage]:
        due = [host for host, said_at in self._hosts.items() if said_at + self._heartbeat_s <= now]
        of_host: dict[str, list[tuple[str, int]]] = {host: [] for host in due}
        for each in self.running.values() if due else ():
            if each.host in of_host:
                of_host[each.host].append((each.job_id, each.attempt))
        self._hosts.update(dict.fromkeys(due, now))
        return [HelloMessage(facts=facts_of(host), attempts=tuple(of_host[host])) for host in due]

    def _say(self, messages: list[BusMessage]) -> None:
        pipeline = self._bus.pipeline(transaction=False)
        for message in messages:
            pipeline.xadd(EVENTS_STREAM, {"m": message.model_dump_json()})
        pipeline.execute()
