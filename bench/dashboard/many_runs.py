"""Twenty live runs of 60,000 points over each other on eight visible charts.

Goals: every visible chart is drawn again each second, no task of the main thread takes over 100 ms, interaction to next
paint p95 is at most 200 ms, every spike is drawn, and memory stays flat. After a minute and a half of warming up one
minute is watched by default; the goal of thirty is tried with `--minutes 30`.
"""

from __future__ import annotations

import itertools
import json
import random
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import redis
from playwright.sync_api import Page

from backend.db.database import Database
from bench.dashboard import stock
from bench.dashboard.browser import VISIBLE_CHARTS, drawn, logged_in, wait_until_drawn
from bench.dashboard.row import Row, percentile
from bench.queue.service import service
from tunedeck.bus import EVENTS_STREAM, EventsMessage

NUM_RUNS = 20
NUM_STEPS = 60_000
METRICS = (
    "loss",
    "grad_norm",
    "lr",
    "tokens_per_s_per_gpu",
    "mfu",
    "step_time_s",
    "peak_memory_bytes",
    "padding_share",
)
NUM_SPIKES = 12
SPIKE = 40.0
STEP_EVERY_S = 0.5
# Until then the browser compiles what it often runs, and the newest stretch of each line fills, of 64 steps: memory
# grows by what a page needs at most, and is no measure of what it keeps.
WARM_UP_S = 90.0
# So often memory is measured: between two looks it may go up and down.
NUM_LOOKS = 6
SWEEPS_OF_A_LOOK = 8
SWEEP_EVERY_MS = 130
# Eight charts in two columns are in sight.
HEIGHT = 1700
GOAL_REFRESH_S = 1.0
GOAL_TASK_MS = 100.0
GOAL_INTERACTION_MS = 200.0
GOAL_MEMORY = 1.1
SPIKES_DRAWN = """(spike) => document.querySelector("#chart-loss .plot").data.filter(({ opacity }) => opacity)
    .reduce((number, { y }) => number + y.filter((value) => value === spike).length, 0)"""


def measure(minutes: float) -> Row:
    with service("sqlite", lease_s=stock.LEASE_S) as made:
        database = Database(made.settings.resolved_database_url())
        runs = [stock.add_run(database, f"run-{at:02d}", _series(at), is_live=True) for at in range(NUM_RUNS)]
        database.close()
        made.start_backend()
        with logged_in(made.url, made.token, HEIGHT) as context, LiveRuns(made.bus(), runs):
            page = context.new_page()
            page.goto("/compare?" + "&".join(f"run={job_id}" for job_id in runs))
            wait_until_drawn(page, ["loss", "padding_share"], patience_s=120.0)
            loading_ms = page.evaluate("() => window.tasks")
            charts = page.evaluate(VISIBLE_CHARTS)
            ours = _watched(page, charts, 60.0 * minutes) | {"longest_task_loading_ms": max(loading_ms, default=0.0)}
    goal = {
        "refresh_s": GOAL_REFRESH_S,
        "longest_task_ms": GOAL_TASK_MS,
        "interaction_p95_ms": GOAL_INTERACTION_MS,
        "spikes_lost": 0,
        "memory_growth": GOAL_MEMORY,
    }
    what = f"{NUM_RUNS} live runs of {NUM_STEPS:,} points on {len(charts)} charts, {minutes:g} min"
    return Row(what, ours, goal, "refresh_s")


def _series(number: int) -> dict[str, stock.Series]:
    picked = np.random.default_rng(number).choice(np.arange(500, NUM_STEPS, 1_000), NUM_SPIKES, replace=False)
    spikes = dict.fromkeys(map(int, picked), SPIKE)
    return {metric: stock.curve(NUM_STEPS, 100 * number + at, spikes) for at, metric in enumerate(METRICS)}


@dataclass(frozen=True)
class Look:
    """One part of the time: how often each chart was drawn, tasks and interactions, the heap at its end."""

    elapsed_s: float
    num_drawn: dict[str, int]
    tasks_ms: list[float]
    interactions_ms: list[float]
    memory_bytes: float


def _watched(page: Page, charts: Sequence[str], seconds: float) -> dict[str, float]:
    loaded = _memory(page)
    _interact(page, WARM_UP_S)
    before = _memory(page)
    looks = [_look(page, charts, seconds / NUM_LOOKS) for _ in range(NUM_LOOKS)]
    elapsed_s = sum(look.elapsed_s for look in looks)
    tasks_ms = [task for look in looks for task in look.tasks_ms]
    interactions_ms = [each for look in looks for each in look.interactions_ms]
    # The smoothed lines know nothing of single spikes; the faint raw lines must.
    num_spikes = page.evaluate(SPIKES_DRAWN, SPIKE)
    return {
        "refresh_s": max(elapsed_s / max(1, sum(look.num_drawn[chart] for look in looks)) for chart in charts),
        "longest_task_ms": max(tasks_ms, default=0.0),
        "tasks_over_50_ms_per_s": len(tasks_ms) / elapsed_s,
        "interaction_p95_ms": percentile(interactions_ms or [0.0], 95),
        "interactions": len(interactions_ms),
        "spikes_lost": NUM_RUNS * NUM_SPIKES - num_spikes,
        "memory_growth": max(look.memory_bytes for look in looks) / before,
        "memory_growth_at_end": looks[-1].memory_bytes / before,
        "memory_mb_loaded": loaded / 1e6,
        "memory_mb": before / 1e6,
        "memory_mb_at_end": looks[-1].memory_bytes / 1e6,
    }


def _look(page: Page, charts: Sequence[str], seconds: float) -> Look:
    """Begins with empty lists, so that what is noted here does not count as the page's memory, nor the sweeping of the
    heap before it as its tasks."""
    page.evaluate("() => { window.tasks = []; window.interactions = []; window.drawn = {}; }")
    began = time.monotonic()
    _interact(page, seconds)
    elapsed_s = time.monotonic() - began
    times = drawn(page)
    tasks_ms, interactions_ms = page.evaluate("() => [window.tasks, window.interactions]")
    num_drawn = {chart: len(times.get(chart, [])) for chart in charts}
    return Look(elapsed_s, num_drawn, tasks_ms, interactions_ms, _memory(page))


def _interact(page: Page, seconds: float) -> None:
    """What a reader does: smooths more and less, looks closer at a place, turns an axis."""
    deadline = time.monotonic() + seconds
    chart = page.locator("#chart-loss .nsewdrag").bounding_box()
    assert chart
    for number in itertools.count():
        if time.monotonic() > deadline:
            return
        page.mouse.move(chart["x"] + 20 + 37 * number % (chart["width"] - 40), chart["y"] + 60)
        page.focus("#smoothing")
        page.keyboard.press("ArrowRight" if number % 2 else "ArrowLeft")
        page.click("#clips")
        page.wait_for_timeout(400)


def _memory(page: Page) -> float:
    """Bytes of the page's heap after it has been swept: the least of several times, since a drawing that is under way
    holds some MB until it is done."""
    wire = page.context.new_cdp_session(page)
    used: list[float] = []
    for _ in range(SWEEPS_OF_A_LOOK):
        page.wait_for_timeout(SWEEP_EVERY_MS)
        wire.send("HeapProfiler.collectGarbage")
        used.append(wire.send("Runtime.getHeapUsage")["usedSize"])
    wire.detach()
    return min(used)


class LiveRuns:
    """A thread in which each run takes a step every STEP_EVERY_S, said on the bus as a worker's forwarder would."""

    def __init__(self, bus: redis.Redis, job_ids: Sequence[str]) -> None:
        self._bus = bus
        self._job_ids = job_ids
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        for number in itertools.count(1):
            pipeline = self._bus.pipeline(transaction=False)
            for job_id in self._job_ids:
                event = {"kind": "step", "seq": NUM_STEPS + number, "t": time.time(), "step": NUM_STEPS + number}
                event["metrics"] = {metric: 0.4 + random.gauss(0, 0.05) for metric in METRICS}
                message = EventsMessage(job_id=job_id, attempt=1, lines=(json.dumps(event),))
                pipeline.xadd(EVENTS_STREAM, {"m": message.model_dump_json()})
            pipeline.execute()
            if self._ended.wait(STEP_EVERY_S):
                return
