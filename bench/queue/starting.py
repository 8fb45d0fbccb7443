"""How long from `POST /jobs` to the task of an idle worker, beside what other queues need from call to task.

Goals: median at most 50 ms, 99th percentile at most 250 ms. One job at a time; the next one is posted when the host is
idle again. The peers only carry a call: they check, store and place nothing.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import redis
from celery import Celery

from bench.deployment import wait_for
from bench.queue.databases import Kind
from bench.queue.idle_worker import PLAIN_TASK, STARTED
from bench.queue.peers import procrastinate_app, rq_queue, say_began
from bench.queue.service import Service, service
from bench.queue.stock import HOST, stock
from tests.support.backend import SPEC
from tunedeck.bus import broker_url, queue_of

GOAL_P50_S = 0.05
GOAL_P99_S = 0.25
PATIENCE_S = 60
FINAL = "succeeded"


def measure(kind: Kind, num_jobs: int) -> list[dict[str, Any]]:
    """A row for Tunedeck and one for each peer; `ratio`: how many times as long the median of ours is."""
    with service(kind) as made:
        made.start_backend()
        stock(made, is_drained=False)
        made.start("worker", sys.executable, "-m", "bench.queue.idle_worker")
        with made.client() as client:
            wait_for(lambda: client.get("/health").json()["num_hosts"], "the worker's hello", look_every_s=0.05)

            def post() -> str:
                answer = client.post("/jobs", json=SPEC)
                return str(answer.raise_for_status().json()["id"])

            def is_idle(job_id: str) -> bool:
                return bool(client.get(f"/jobs/{job_id}").json()["state"] == FINAL)

            ours = _times(made, num_jobs, post, lambda job: wait_for(lambda: is_idle(job), "its end", 60, 0.005))
        rows = [_row("tunedeck", kind, ours) | {"goals_met": _meets_goals(ours)}]
        made.end("backend")
        rows.append(_row("celery", kind, _times(made, num_jobs, _celery(made))))
        made.start("rq", sys.executable, "-m", "bench.queue.peers", "rq")
        queue = rq_queue(made.settings)
        rows.append(_row("rq", kind, _times(made, num_jobs, lambda: queue.enqueue(say_began))))
        if kind == "postgresql":
            rows.append(_row("procrastinate", kind, _procrastinate(made, num_jobs)))
    return [rows[0], *(row | {"ratio": round(rows[0]["p50_s"] / row["p50_s"], 1)} for row in rows[1:])]


def _celery(made: Service) -> Callable[[], object]:
    app = Celery("bench", broker=broker_url(made.settings.resolved_redis_url()), set_as_current=False)
    return lambda: app.send_task(PLAIN_TASK, queue=queue_of(HOST), ignore_result=True)


def _procrastinate(made: Service, num_jobs: int) -> list[float]:
    with procrastinate_app(made.settings).open() as caller:
        caller.schema_manager.apply_schema()
        made.start("procrastinate", sys.executable, "-m", "bench.queue.peers", "procrastinate")
        return _times(made, num_jobs, lambda: caller.tasks["say_began"].defer())


def _times(
    made: Service, num_jobs: int, call: Callable[[], Any], until_idle: Callable[[Any], None] = lambda _: None
) -> list[float]:
    """Seconds from the call, which returns a job's id where it has one, to the task. The first one, for which
    connections are made, is left out."""
    bus: redis.Redis = made.bus()
    bus.delete(STARTED)
    times_s = []
    for _ in range(num_jobs + 1):
        called_at = time.time()
        called = call()
        began_at = _pop(bus, f"{STARTED}:{called}" if isinstance(called, str) else STARTED)
        times_s.append(began_at - called_at)
        until_idle(called)
    return times_s[1:]


def _pop(bus: redis.Redis, key: str) -> float:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if answer := bus.blpop([key], timeout=2):
            return float(answer[1])  # type: ignore[index]
    raise TimeoutError(f"no task began within {PATIENCE_S} s")


def _row(name: str, kind: Kind, times_s: list[float]) -> dict[str, Any]:
    percentiles = {f"p{share}_s": round(float(np.percentile(times_s, share)), 4) for share in (50, 99)}
    return {"what": "starting", "queue": name, "database": kind, "num_jobs": len(times_s), **percentiles}


def _meets_goals(times_s: list[float]) -> bool:
    return bool(np.percentile(times_s, 50) <= GOAL_P50_S and np.percentile(times_s, 99) <= GOAL_P99_S)
