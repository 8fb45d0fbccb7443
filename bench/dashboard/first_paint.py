"""How long the page of a long run takes to show its charts, and what it transfers, once the browser has our scripts.

Goals for 100,000 steps of 12 metrics: at most 1 s to the first chart, and 300 KB. Of the peers none is measured here:
their pages show no chart of a run without being asked for it.
"""

from __future__ import annotations

import statistics

from playwright.sync_api import BrowserContext

from backend.db.database import Database
from bench.dashboard import stock
from bench.dashboard.browser import VISIBLE_CHARTS, drawn, logged_in, wait_until_drawn
from bench.dashboard.row import Row
from bench.queue.service import service

NUM_STEPS = 100_000
# The libraries are fetched, and then compiled for good.
NUM_WARM_UPS = 3
NUM_VISITS = 7
GOAL_S = 1.0
GOAL_KB = 300.0


def measure() -> Row:
    with service("sqlite") as made:
        database = Database(made.settings.resolved_database_url())
        job_id = stock.add_run(database, "long", stock.curves(NUM_STEPS, seed=1))
        made.start_backend()
        database.close()
        with logged_in(made.url, made.token) as context:
            for _ in range(NUM_WARM_UPS):
                _visit(context, job_id)
            visits = [_visit(context, job_id) for _ in range(NUM_VISITS)]
    names = ("first_chart_s", "visible_charts_s", "transferred_kb")
    ours = {name: statistics.median(visit[at] for visit in visits) for at, name in enumerate(names)}
    goal = {"first_chart_s": GOAL_S, "transferred_kb": GOAL_KB}
    return Row(f"first paint of a run with {NUM_STEPS:,} steps of 12 metrics", ours, goal, "first_chart_s")


def _visit(context: BrowserContext, job_id: str) -> tuple[float, float, float]:
    """Seconds to the first chart, seconds to all that are in sight, kilobytes that were transferred."""
    page = context.new_page()
    transferred: list[float] = []
    wire = context.new_cdp_session(page)
    wire.on("Network.loadingFinished", lambda event: transferred.append(event["encodedDataLength"]))
    wire.send("Network.enable")
    page.goto(f"/runs/{job_id}")
    wait_until_drawn(page, ["loss"])
    visible = page.evaluate(VISIBLE_CHARTS)
    wait_until_drawn(page, visible)
    times = drawn(page)
    page.close()
    firsts = [times[name][0][0] / 1000 for name in visible]
    return min(firsts), max(firsts), sum(transferred) / 1000
