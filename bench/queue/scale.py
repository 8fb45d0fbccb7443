"""A full cluster: how long the scheduler takes to decide, and how late what workers say is stored.

Goals: placement decision p99 below 200 ms, ingest lag p99 below 1 s. Each host runs five jobs, one of four GPUs and
four of one, and such jobs wait; jobs end all the time, so that there is always something to decide.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import text

from backend.db.database import Database
from backend.jobs import spec_index
from bench.queue.databases import Kind
from bench.queue.measured_backend import FILE
from bench.queue.service import Service, service
from bench.queue.workers import Workers
from tests.support.jobs import add_attempt, add_host, add_job, job_row

SIZES = (4, 1, 1, 1, 1)
NUM_GPUS = sum(SIZES)
MEAN_LIFE_S = 60.0
# The backend begins amid a full cluster: this long is left out.
WARM_UP_S = 10.0
DECISION_GOAL_S = 0.2
LAG_GOAL_S = 1.0


@dataclass(frozen=True)
class Size:
    num_hosts: int
    num_queued: int


FULL = Size(num_hosts=200, num_queued=10_000)
TENTH = Size(num_hosts=20, num_queued=1_000)


def measure(kind: Kind, size: Size, seconds: float) -> dict[str, Any]:
    """One row."""
    with service(kind) as made:
        hosts = [f"gpu-{number:03d}" for number in range(size.num_hosts)]
        running = _stock(made, kind, hosts, size.num_queued)
        made.start_backend("bench.queue.measured_backend")
        # Not before: what they had said meanwhile would all be told at once.
        workers = Workers(made.bus(), hosts, made.settings.heartbeat_s, MEAN_LIFE_S)
        for job_id, host in running:
            workers.begin(job_id, 1, host)
        workers.work(WARM_UP_S)
        began, cpu_began, started_began = time.time(), made.cpu_s("backend"), workers.num_started
        workers.work(seconds)
        observed = _observed(made, began)
        cores = (made.cpu_s("backend") - cpu_began) / (time.time() - began)
        num_placed, num_running = workers.num_started - started_began, len(workers.running)
    return _row(kind, size, num_placed, num_running, cores, observed)


def _stock(made: Service, kind: Kind, hosts: list[str], num_queued: int) -> list[tuple[str, str]]:
    """Full hosts and a queue, straight into the database. Returns the running jobs, each with its host."""
    now, running = time.time(), []
    database = Database(made.settings.resolved_database_url())
    with database.writing() as session, session.no_autoflush:
        if kind == "postgresql":
            # Making the rows takes longer than the backend may be silent in a transaction.
            session.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
        for host in hosts:
            add_host(session, now, name=host, num_devices=NUM_GPUS)
            for num_devices in SIZES:
                job = add_job(session, now, "cuda", num_devices, state="running", attempt=1, started_at=now)
                add_attempt(session, job.id, 1, now, host=host, num_devices=num_devices, lease_expires_at=now + 120)
                running.append((job.id, host))
        session.add_all([job_row(now, "cuda", SIZES[number % len(SIZES)]) for number in range(num_queued)])
    spec_index.add_missing(database)
    if kind == "postgresql":
        _tend(database)
    database.close()
    return running


def _tend(database: Database) -> None:
    """What autovacuum does by itself while ten thousand jobs come in, and not within the seconds that this takes."""
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("VACUUM ANALYZE")


def _observed(made: Service, since: float) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {"decision_s": [], "tick_s": [], "ingest_s": [], "lag_s": []}
    for line in (made.settings.data_dir / FILE).read_text().splitlines():
        observation = json.loads(line)
        at = observation.pop("at")
        for name, value in observation.items():
            if at >= since:
                found[name].append(value)
    return found


def _row(
    kind: Kind, size: Size, num_placed: int, num_running: int, cores: float, observed: dict[str, list[float]]
) -> dict[str, Any]:
    row: dict[str, Any] = {
        "what": "scale",
        "database": kind,
        "num_hosts": size.num_hosts,
        "num_queued": size.num_queued,
        "num_running": num_running,
        "num_placed": num_placed,
        "num_decisions": len(observed["decision_s"]),
        "backend_cores": round(cores, 2),
    }
    for name, values in observed.items():
        for share in (50, 99):
            value = round(float(np.percentile(values, share)), 4) if values else None
            row[name.replace("_s", f"_p{share}_s")] = value
    row["goals_met"] = row["decision_p99_s"] < DECISION_GOAL_S and row["lag_p99_s"] < LAG_GOAL_S
    return row
