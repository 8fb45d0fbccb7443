"""How long the API takes to answer a series of 200,000 points with 2,000, over HTTP and as a browser asks for it.

Goals: p95 at most 10 ms, and at least three times as fast as the best peer, each with as many points as its own page
gets.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable

import httpx
import numpy as np

from backend.db.database import Database
from bench.dashboard import stock
from bench.dashboard.peers.environment import Peers
from bench.dashboard.peers.serving import SERVING, timed
from bench.dashboard.row import Figures, Row, percentile
from bench.queue.service import service

NUM_POINTS = 200_000
DRAWN = 2_000
NUM_REQUESTS = 60
MOST_S = 30.0
WARM_UP = 3
GOAL_MS = 10.0
GOAL_RATIO = 3.0


def measure(found: Peers) -> Row:
    values = stock.curve(NUM_POINTS, seed=1, spikes={70_000: 9.0})
    file = found.folder / "series.npy"
    np.save(file, values)
    peer: dict[str, Figures | str] = {name: _peer(name, found, file) for name in SERVING if found.has(name)}
    ours = _ours(values)
    goal = {"p95_ms": GOAL_MS}
    theirs = [figures["p95_ms"] for figures in peer.values() if not isinstance(figures, str)]
    if theirs:
        goal["p95_ms"] = min(GOAL_MS, min(theirs) / GOAL_RATIO)
    return Row(f"{NUM_POINTS:,} points downsampled by the API", ours, goal, "p95_ms", peer)


def _ours(values: stock.Series) -> dict[str, float]:
    with service("sqlite") as made:
        database = Database(made.settings.resolved_database_url())
        job_id = stock.add_run(database, "long", {"loss": values})
        database.close()
        made.start_backend()
        with made.client() as client:
            taken_s = _timed(
                lambda: client.get(f"/jobs/{job_id}/metrics", params={"name": "loss", "max_points": DRAWN})
            )
            answer = client.get(f"/jobs/{job_id}/metrics", params={"name": "loss", "max_points": DRAWN}).json()
    return _figures(taken_s, len(answer["series"]["loss"]["steps"]))


def _peer(name: str, found: Peers, file: object) -> Figures | str:
    try:
        return _figures(*timed(name, found, file, _timed))  # type: ignore[arg-type]
    except (subprocess.SubprocessError, TimeoutError, OSError, httpx.HTTPError) as error:
        return f"could not be measured: {error.__class__.__name__}"


def _timed(ask: Callable[[], httpx.Response]) -> list[float]:
    """Seconds of each request; fewer of them where one takes long."""
    taken: list[float] = []
    deadline = time.monotonic() + MOST_S
    while len(taken) < NUM_REQUESTS + WARM_UP and time.monotonic() < deadline:
        began = time.perf_counter()
        ask().raise_for_status()
        taken.append(time.perf_counter() - began)
    return taken[WARM_UP:]


def _figures(taken_s: list[float], num_points: int) -> dict[str, float]:
    taken_ms = [1000 * each for each in taken_s]
    return {"p50_ms": percentile(taken_ms, 50), "p95_ms": percentile(taken_ms, 95), "points": num_points}
