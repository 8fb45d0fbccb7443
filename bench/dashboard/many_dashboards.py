"""500 open dashboards on one backend while 50 events a second come in.

Each dashboard is a stream of all runs, as the list of runs opens it: nobody may be sent less. They are held by another
process. Goals: an event reaches a dashboard within 500 ms (p99), the backend takes one core, no event is lost.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time

import redis

from backend.db.database import Database
from bench.dashboard import stock
from bench.dashboard.row import Row, percentile
from bench.queue.service import service
from tunedeck.bus import EVENTS_STREAM, EventsMessage

NUM_DASHBOARDS = 500
NUM_RUNS = 10
EVENTS_PER_S = 50
WATCHED_S = 30.0
GOAL_P99_MS = 500.0
GOAL_CORES = 1.0


def measure() -> Row:
    with service("sqlite", lease_s=stock.LEASE_S) as made:
        database = Database(made.settings.resolved_database_url())
        series = {"loss": stock.curve(100, seed=1)}
        runs = [stock.add_run(database, f"run-{number}", series, is_live=True) for number in range(NUM_RUNS)]
        database.close()
        made.start_backend()
        listeners = subprocess.Popen(
            [sys.executable, "-m", "bench.dashboard.listeners", str(made.settings.port), str(NUM_DASHBOARDS)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert listeners.stdin
        assert listeners.stdout
        listeners.stdin.write(made.headers["Authorization"] + "\n")
        listeners.stdin.flush()
        listeners.stdout.readline()  # all are open
        began, cpu = time.monotonic(), made.cpu_s("backend")
        num_sent = send(made.bus(), runs, EVENTS_PER_S, WATCHED_S)
        cores = (made.cpu_s("backend") - cpu) / (time.monotonic() - began)
        heard = json.loads(listeners.communicate(f"{num_sent}\n")[0])
    ours = {
        "p50_ms": percentile(heard["latencies_ms"], 50),
        "p99_ms": percentile(heard["latencies_ms"], 99),
        "backend_cores": cores,
        "lost_events": NUM_DASHBOARDS * num_sent - heard["num_steps"],
    }
    goal = {"p99_ms": GOAL_P99_MS, "backend_cores": GOAL_CORES, "lost_events": 0}
    return Row(f"{NUM_DASHBOARDS} open dashboards, {EVENTS_PER_S} events/s", ours, goal, "p99_ms")


def send(bus: redis.Redis, job_ids: list[str], per_s: int, seconds: float) -> int:
    """Steps of these runs in turn, each said with the time of its saying; how many."""
    due = time.monotonic()
    num_events = round(per_s * seconds)
    for number in range(num_events):
        seq = 101 + number // len(job_ids)
        event = {"kind": "step", "seq": seq, "t": time.time(), "step": seq, "metrics": {"loss": 1.0}}
        message = EventsMessage(job_id=job_ids[number % len(job_ids)], attempt=1, lines=(json.dumps(event),))
        bus.xadd(EVENTS_STREAM, {"m": message.model_dump_json()})
        due += 1 / per_s
        time.sleep(max(0.0, due - time.monotonic()))
    return num_events
