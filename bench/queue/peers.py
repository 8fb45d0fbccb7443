"""What RQ and procrastinate run: a task that says when it began. Their workers import it by name.

`python -m bench.queue.peers rq|procrastinate` is a worker of either, with as little around it as each allows.
"""

from __future__ import annotations

import sys
import time

import procrastinate
import redis
from rq import Queue, SimpleWorker

from backend.bus import connect
from bench.queue.idle_worker import STARTED
from tunedeck.settings import Settings


def say_began() -> None:
    """RQ's task."""
    connect(Settings().resolved_redis_url()).rpush(STARTED, time.time())


def rq_queue(settings: Settings) -> Queue:
    # Not ours: RQ stores pickles, and so wants bytes back.
    return Queue("bench", connection=redis.Redis.from_url(settings.resolved_redis_url()))


def procrastinate_app(settings: Settings) -> procrastinate.App:
    address = settings.resolved_database_url().replace("postgresql+psycopg://", "postgresql://", 1)
    app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=address))
    bus = connect(settings.resolved_redis_url())

    @app.task(name="say_began", queue="bench")
    def task() -> None:
        bus.rpush(STARTED, time.time())

    return app


def main() -> None:
    settings = Settings()
    if sys.argv[1] == "rq":
        queue = rq_queue(settings)
        SimpleWorker([queue], connection=queue.connection).work(logging_level="WARNING")
    else:
        procrastinate_app(settings).run_worker(queues=["bench"], listen_notify=True)


if __name__ == "__main__":
    main()
