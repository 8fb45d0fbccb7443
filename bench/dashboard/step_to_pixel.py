"""How long a step takes from the engine's line in events.jsonl to the point on the chart.

The whole way is real: worker, supervisor, forwarder, bus, ingest, database, stream, Chromium; only the engine is a
stand-in that writes 20 steps a second, each with its time. Goals: p50 300 ms, p99 1 s. The peers' pages ask their
servers every 1 to 30 s, which is all that their figure could say; it is not measured.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.sync_api import Page

from bench.dashboard.browser import logged_in
from bench.dashboard.row import Row, percentile
from bench.deployment import Deployment, deployment, wait_for
from tunedeck.demo import assets

NUM_STEPS = 400
GOAL_P50_MS = 300.0
GOAL_P99_MS = 1_000.0
# All processes run on this machine, so its clock is also the engine's.
LISTEN = """(job) => new Promise((resolve) => {
    window.written = [];
    const source = new EventSource(`/api/v1/stream?job=${job}`);
    source.addEventListener("step", ({ data }) => {
        const { t, payload } = JSON.parse(data);
        window.written.push([payload.step, t * 1000 - performance.timeOrigin]);
    });
    source.addEventListener("hello", resolve);
})"""


def measure() -> Row:
    with TemporaryDirectory(prefix="pixel-") as folder, deployment(Path(folder), "bench.ticking_engine") as made:
        latencies_ms = _latencies_ms(made)
    ours = {f"p{share}_ms": percentile(latencies_ms, share) for share in (50, 95, 99)}
    goal = {"p50_ms": GOAL_P50_MS, "p99_ms": GOAL_P99_MS}
    return Row(f"engine step to pixel, one run, {len(latencies_ms)} steps", ours, goal, "p50_ms")


def _latencies_ms(made: Deployment) -> list[float]:
    spec = assets.demo_spec().model_dump(mode="json")
    spec["batching"] |= {"train_iters": 20 * NUM_STEPS, "num_epoch": None}
    with logged_in(made.url, made.token) as context, made.client() as client:
        page = context.new_page()
        job_id = client.submit(spec).id
        page.goto(f"/runs/{job_id}")
        page.evaluate(LISTEN, job_id)
        _wait_for_steps(page, NUM_STEPS)
        written = dict(page.evaluate("() => window.written")[:NUM_STEPS])
        drawings = page.evaluate("() => window.drawn.loss")
        client.cancel(job_id)
    return latencies(written, drawings)


def latencies(written: dict[int, float], drawings: list[tuple[float, float]]) -> list[float]:
    """For each step that was written: how long until the first drawing that reaches it. All in ms."""
    found = []
    for step, at in written.items():
        shown = next((drawn_at for drawn_at, last in drawings if last >= step), None)
        if shown is not None:
            found.append(shown - at)
    return found


def _wait_for_steps(page: Page, number: int) -> None:
    wait_for(lambda: page.evaluate("() => window.written.length") >= number + 40, "the steps", look_every_s=0.2)
