"""`python -m bench.queue.idle_worker`: a worker of one host whose tasks say when they began, and have ended already.

The Celery application is the worker's own, so a message takes the way that it takes to a real one. The plain task shows
what Celery does without us.
"""

from __future__ import annotations

import json
import threading
import time

import redis

from backend.bus import connect
from bench.queue.stock import HOST
from tests.support.backend import host_facts
from tests.support.jobs import ended_message
from tunedeck.bus import EVENTS_STREAM, RUN_ATTEMPT_TASK, BusMessage, HelloMessage
from tunedeck.settings import Settings
from worker.app import make_app

STARTED = "bench:started"
PLAIN_TASK = "bench.plain"


def main() -> None:
    settings = Settings()
    bus = connect(settings.resolved_redis_url())
    app = make_app(settings, HOST)

    @app.task(name=RUN_ATTEMPT_TASK)  # type: ignore[untyped-decorator]
    def run_attempt(order_json: str) -> None:
        began = time.time()
        order = json.loads(order_json)
        _say(bus, ended_message(order["job_id"], "succeeded", order["attempt"], HOST))
        bus.rpush(f"{STARTED}:{order['job_id']}", began)  # by its id, because a message may come twice

    @app.task(name=PLAIN_TASK)  # type: ignore[untyped-decorator]
    def plain() -> None:
        bus.rpush(STARTED, time.time())

    threading.Thread(target=_greet, args=(bus, settings.heartbeat_s), daemon=True).start()
    app.Worker(without_gossip=True, without_mingle=True, without_heartbeat=True, loglevel="WARNING").start()


def _greet(bus: redis.Redis, heartbeat_s: float) -> None:
    while True:
        _say(bus, HelloMessage(facts=host_facts(HOST), attempts=()))
        time.sleep(heartbeat_s)


def _say(bus: redis.Redis, message: BusMessage) -> None:
    bus.xadd(EVENTS_STREAM, {"m": message.model_dump_json()})


if __name__ == "__main__":
    main()
