"""Debian's Chromium with a page that is logged in, and what is asked of it: when something was drawn, what it cost."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from typing import Any

from playwright.sync_api import BrowserContext, Page, sync_playwright

from tests.browser.conftest import CHROMIUM_FLAGS

# Notes when each chart was drawn: `drawn[name]` grows by the time (ms since the navigation) and the last place on the
# x-axis. A drawing counts when the frame that shows it has been handed over.
WATCH_CHARTS = """
    window.drawn = {};
    const watched = new WeakSet();
    const watch = (plot) => {
        const name = plot.closest("[data-chart]").dataset.chart;
        const note = () => requestAnimationFrame(() => setTimeout(() => {
            const last = Math.max(...plot.data.filter(({ x }) => x?.length).map(({ x }) => x.at(-1)));
            (window.drawn[name] ??= []).push([performance.now(), last]);
        }));
        plot.on("plotly_afterplot", note);
        note();
    };
    new MutationObserver(() => {
        for (const plot of document.querySelectorAll(".js-plotly-plot")) {
            if (watched.has(plot) || !plot.on) continue;
            watched.add(plot);
            watch(plot);
        }
    }).observe(document, { subtree: true, childList: true, attributes: true, attributeFilter: ["class"] });
"""
# Tasks of 50 ms and more, and what the page did not answer at once; both in ms.
WATCH_TASKS = """
    window.tasks = [];
    window.interactions = [];
    new PerformanceObserver((list) => {
        for (const { duration } of list.getEntries()) window.tasks.push(duration);
    }).observe({ type: "longtask", buffered: true });
    new PerformanceObserver((list) => {
        for (const { interactionId, duration } of list.getEntries()) {
            if (interactionId) window.interactions.push(duration);
        }
    }).observe({ type: "event", durationThreshold: 16, buffered: true });
"""
VISIBLE_CHARTS = """() => [...document.querySelectorAll("[data-chart]:not([hidden])")].filter((chart) => {
    const { top, bottom } = chart.getBoundingClientRect();
    return bottom > 0 && top < innerHeight;
}).map((chart) => chart.dataset.chart)"""


@contextmanager
def logged_in(url: str, token: str, height: int = 900) -> Iterator[BrowserContext]:
    """A browser whose pages watch their charts and tasks. It has a profile on disk, as everybody's has: without one
    Chromium would compile Plotly anew on each page."""
    with sync_playwright() as playwright, TemporaryDirectory(prefix="profile-") as profile:
        context = playwright.chromium.launch_persistent_context(
            profile,
            executable_path=shutil.which("chromium"),
            args=list(CHROMIUM_FLAGS),
            base_url=url,
            viewport={"width": 1440, "height": height},
        )
        context.new_page().goto(f"/login?token={token}&next=/cluster")
        context.add_init_script(WATCH_CHARTS + WATCH_TASKS)
        yield context
        context.close()


def wait_until_drawn(page: Page, charts: list[str], patience_s: float = 60.0) -> None:
    # Not by a string that the page would have to evaluate: our Content-Security-Policy forbids that.
    page.wait_for_function(
        "(charts) => charts.every((name) => window.drawn[name]?.length)", arg=charts, timeout=1000 * patience_s
    )


def drawn(page: Page) -> dict[str, list[tuple[float, float]]]:
    found: dict[str, Any] = page.evaluate("() => window.drawn")
    return {name: [(at, last) for at, last in times] for name, times in found.items()}
