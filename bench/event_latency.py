"""How long an event takes from a line in events.jsonl to a script in the browser.

The whole way is real: worker, bus, ingest, database, server-sent events, Chromium. Only the engine is a stand-in, which
writes 20 timestamped events a second. Goal: median below 300 ms, 99th percentile below 1 s.

    python -m bench.event_latency [--events N]
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from playwright.sync_api import Page, sync_playwright

from bench.deployment import PATIENCE_S, Deployment, deployment, wait_for
from tunedeck.demo import assets

GOAL_P50_S = 0.3
GOAL_P99_S = 1.0

# Date.now() is the same clock as the engine's: all processes run on this machine.
LISTEN = """job => {
  window.samples = [];
  const source = new EventSource(`/api/v1/stream?job=${job}`);
  source.addEventListener("step", message => {
    const received = Date.now() / 1000;
    window.samples.push(received - JSON.parse(message.data).t);
  });
  return new Promise(resolve => source.addEventListener("hello", resolve));
}"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--events", type=int, default=1_000, help="how many to measure")
    num_events = parser.parse_args().events
    with TemporaryDirectory(prefix="bench-") as folder, deployment(Path(folder), "bench.ticking_engine") as made:
        latencies_s = measure(made, num_events)
    report = report_of(latencies_s)
    print(json.dumps(report))
    return 0 if report["goals_met"] else 1


def measure(made: Deployment, num_events: int) -> list[float]:
    """Seconds from file to browser, one for each event."""
    spec = assets.demo_spec().model_dump(mode="json")
    # More than are measured: the first ones pass while the browser opens its page.
    spec["batching"] |= {"train_iters": 4 * num_events, "num_epoch": None}
    with sync_playwright() as playwright, made.client() as client:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"))
        page = browser.new_page()
        page.goto(f"{made.url}/login?token={made.token}&next=/cluster")
        job_id = client.submit(spec).id
        page.evaluate(LISTEN, job_id)
        samples = _collect(page, num_events)
        browser.close()
        client.cancel(job_id)
    return samples


def report_of(latencies_s: list[float]) -> dict[str, Any]:
    p50, p95, p99 = (float(np.percentile(latencies_s, share)) for share in (50, 95, 99))
    return {
        "num_events": len(latencies_s),
        "p50_s": round(p50, 4),
        "p95_s": round(p95, 4),
        "p99_s": round(p99, 4),
        "max_s": round(max(latencies_s), 4),
        "goals_met": p50 < GOAL_P50_S and p99 < GOAL_P99_S,
    }


def _collect(page: Page, num_events: int) -> list[float]:
    # Not wait_for_function: it polls by eval in the page, which our Content-Security-Policy forbids.
    wait_for(lambda: page.evaluate("window.samples.length") >= num_events, "the events", PATIENCE_S + num_events)
    samples: list[float] = page.evaluate("window.samples")
    return samples[:num_events]


if __name__ == "__main__":
    sys.exit(main())
