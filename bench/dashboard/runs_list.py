"""How long a page of the list of runs takes among 10,000: `python -m bench.dashboard.runs_list [sqlite|postgresql]`.

One JSON object for each database. Every request goes over HTTP to a backend in a process of its own, which gathers its
answers from the database each time: nothing is cached between two requests. No peer is measured beside it: their lists
come as one answer of all runs, or from another process of the same machine.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import time
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
from sqlalchemy.orm import Session

from backend.db.database import Database
from backend.db.tables.jobs import JobNotesRow
from backend.jobs.spec_index import sections_of, store
from backend.jobs.tags import stored_tags
from bench.queue.databases import KINDS, Kind
from bench.queue.service import Service, service
from tests.support.jobs import add_attempt, add_job
from tests.support.resolved import resolved_json
from tunedeck.ids import new_id
from tunedeck.spec import JobSpec

NUM_RUNS = 10_000
NUM_REQUESTS = 60
GOAL_MS = 150.0
LEASE_S = 3600.0
BATCH = 500
TAGS = ("baseline", "night", "sweep-7", "paper")
MODELS = ("qwen3-0.6b", "qwen3-1.7b", "qwen3-4b")
STATES = ("succeeded",) * 7 + ("failed", "cancelled", "queued")

# What is asked for → the address. Rare and common answers, and none at all: then every run was looked at.
PAGES = {
    "the page of runs": "/runs",
    "first page": "/api/v1/jobs",
    "page of failed runs": "/api/v1/jobs?state=failed",
    "a word": "/api/v1/jobs?q=run-99",
    "no such word": "/api/v1/jobs?q=no-such-run",
    "a tag and a state": "/api/v1/jobs?q=tag%3Abaseline+state%3Afailed",
    "a field of all specs": "/api/v1/jobs?q=precision.fp8_format%3Anone",
    "a range few are in": "/api/v1/jobs?q=lr%3E0.00999",
    "three fields": "/api/v1/jobs?q=lr%3E1e-5+seed%3C500+model%3Aqwen3-4b+-tag%3Anight",
    "notes": "/api/v1/jobs?q=notes%3Adiverged",
    "the archive": "/api/v1/jobs?archived=yes",
}


def measure(kind: Kind) -> dict[str, Any]:
    """p50 and p95 in milliseconds of each page, one client that asks one after the other."""
    with service(kind, lease_s=LEASE_S) as made:
        _stock(made)
        made.start_backend()
        with httpx.Client(base_url=made.url, headers=made.headers, timeout=60) as client:
            pages = {what: _times(client, address) for what, address in PAGES.items()}
            last = _last_page(client)
            pages["the last page"] = _times(client, f"/api/v1/jobs?cursor={last}")
    worst = max(times["p95_ms"] for times in pages.values())
    return {
        "what": f"a page of the list among {NUM_RUNS:,} runs, {kind}",
        "ours": {"p95_ms": worst, "pages": pages},
        "peer": {},
        "ratio": None,
        "goal": {"p95_ms": GOAL_MS},
        "missed": [what for what, times in pages.items() if times["p95_ms"] > GOAL_MS],
        "load": round(os.getloadavg()[0], 1),
    }


def _times(client: httpx.Client, address: str) -> dict[str, float]:
    taken_ms = []
    for _ in range(NUM_REQUESTS):
        began = time.perf_counter()
        client.get(address).raise_for_status()
        taken_ms.append(1000 * (time.perf_counter() - began))
    return {name: round(float(np.percentile(taken_ms, share)), 1) for name, share in (("p50_ms", 50), ("p95_ms", 95))}


def _last_page(client: httpx.Client) -> str:
    cursor = ""
    while True:
        page = client.get("/api/v1/jobs", params={"limit": 500, "cursor": cursor}).json()
        if not page["next_cursor"]:
            return cursor
        cursor = page["next_cursor"]


def _stock(made: Service) -> None:
    database = Database(made.settings.resolved_database_url())
    for first in range(0, NUM_RUNS, BATCH):
        with database.writing() as session:
            for number in range(first, first + BATCH):
                _add_run(session, number)
    database.close()


def _add_run(session: Session, number: int) -> None:
    """A run of a sweep: its learning rate and its seed are its own, the rest it shares with most."""
    chance = random.Random(number)
    name, model, lr = f"run-{number}", chance.choice(MODELS), 10 ** chance.uniform(-6, -2)
    asked = JobSpec(name=name, model=model, dataset="chats", seed=number % 1000, optimizer={"lr": lr})
    spec = asked.model_dump(mode="json", exclude_unset=True)
    resolved = resolved_json(name=name, seed=number % 1000, model={"name": model}, optimizer={"lr": lr})
    now = time.time()
    state = chance.choice(STATES) if number < NUM_RUNS - 20 else "running"
    job = add_job(
        session,
        now,
        id=new_id(),
        name=name,
        model=model,
        spec=spec,
        resolved=resolved,
        state=state,
        attempt=1,
        step=1000,
        train_iters=1000,
        latest=_latest(chance),
        started_at=now,
        tags=stored_tags(chance.sample(TAGS, chance.randrange(3))),
        archived_at=now if state == "cancelled" and chance.random() < 0.5 else None,
        loss_curve={"stride": 32, "values": list(_curve(chance)), "num_in_last": 8},
        # Held back: a scheduler with nothing to place on is not measured here.
        not_before=now + 1e6,
    )
    add_attempt(session, job.id, 1, now, ended_at=None if state == "running" else now, lease_expires_at=now + LEASE_S)
    store(session, job.id, sections_of(asked.model_dump(mode="json"), resolved))
    if number % 20 == 0:
        _write_notes(session, job.id, "It **diverged** at step 400." if number % 400 == 0 else "As expected.")


def _write_notes(session: Session, job_id: str, markdown: str) -> None:
    session.add(JobNotesRow(job_id=job_id, markdown=markdown, version=1, edited_at=time.time(), edited_by="first"))


def _latest(chance: random.Random) -> dict[str, float]:
    return {name: chance.random() for name in ("loss", "validation_loss", "grad_norm", "tokens_per_s", "mfu", "lr")}


def _curve(chance: random.Random) -> Iterator[float]:
    for at in range(32):
        yield round(0.4 + 2.6 / (1 + at / 4) + chance.gauss(0, 0.05), 4)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.dashboard.runs_list")
    parser.add_argument("databases", nargs="*", choices=("all", *KINDS), default="all")
    asked, rows = parser.parse_args().databases, []
    for kind in KINDS if "all" in asked else asked:
        rows.append(measure(kind))
        print(json.dumps(rows[-1]), flush=True)
    return 0 if not any(row["missed"] for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
