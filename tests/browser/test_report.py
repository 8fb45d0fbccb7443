"""A report that was downloaded from the page is opened from the disk, by a browser that has no network."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import SCREENS, Attempt, faults_of
from tests.browser.scripted_worker import ScriptedAttempt
from tests.support.waiting import wait_for
from tunedeck.client import Client

HOSTILE = "<b>7</b> of 8 <img src='https://example.org/x'> </script>"
ZOOM = """() => {
    const place = document.querySelector(".plot > div");
    return Plotly.relayout(place, { "xaxis.range[0]": 10, "xaxis.range[1]": 30 });
}"""
RANGES = """() => [...document.querySelectorAll(".plot > div")].slice(0, 2).map((place) => place.layout.xaxis.range)"""


def trained(attempt: Attempt, client: Client, name: str) -> ScriptedAttempt:
    run = attempt(name, num_steps=100)
    run.begin(100)
    run.steps(60)
    run.validate()
    run.checkpoint()
    run.fail(code="out_of_memory", message=HOSTILE, mend="", log_tail=())
    wait_for(lambda: client.job(run.job_id).state == "failed", "the end of the run")
    return run


def downloaded(page: Page, address: str, target: Path) -> Path:
    page.goto(address)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.method) if "report.html" in request.url else None)
    page.click("#report")
    expect(page.locator("#report-size")).to_have_text(re.compile(r"^One HTML file of \d+\.\d+ MiB\.$"))
    with page.expect_download() as download:
        page.click("#report-now")
    download.value.save_as(target)
    expect(page.locator("#report-dialog")).to_be_hidden()
    # What the dialog told the size of is what was saved: the report was made once.
    assert asked == ["GET"]
    return target


def opened(chromium: Browser, file: Path, theme: str, width: int) -> tuple[Page, list[str], list[str]]:
    """The page, what it has asked for besides itself, and its faults."""
    context = chromium.new_context(offline=True, color_scheme=theme, viewport={"width": width, "height": 900})  # type: ignore[arg-type]
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    faults = faults_of(page)
    page.goto(file.as_uri())
    expect(page.locator(".plot .main-svg").first).to_be_visible()
    asked.remove(file.as_uri())
    return page, asked, faults


def test_reports_open_without_a_network_and_their_charts_zoom_together(
    page: Page, chromium: Browser, attempt: Attempt, client: Client, tmp_path: Path
) -> None:
    first, second = (trained(attempt, client, name) for name in ("reported", "reported-too"))
    one = downloaded(page, f"/runs/{first.job_id}", tmp_path / "one.html")
    both = downloaded(page, f"/compare?run={first.job_id}&run={second.job_id}", tmp_path / "both.html")
    for file, theme, width in ((one, "dark", 1440), (both, "light", 390)):
        report, asked, faults = opened(chromium, file, theme, width)
        expect(report.locator(".fault").first).to_contain_text(HOSTILE)
        loss = report.locator(".plot").first
        expect(loss).to_contain_text("Training loss")
        report.locator(".plot").nth(1).scroll_into_view_if_needed()
        expect(report.locator(".plot").nth(1).locator(".main-svg").first).to_be_visible()
        report.evaluate(ZOOM)
        assert report.evaluate(RANGES) == [[10, 30], [10, 30]]
        assert report.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
        report.screenshot(path=SCREENS / f"report-{width}-{theme}.png")
        assert (asked, faults) == ([], [])
        report.context.close()
