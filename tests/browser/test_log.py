"""The log of a run: live, of any length, searched, by rank and gravity."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import Attempt
from tests.browser.scripted_worker import ScriptedAttempt
from tests.support.waiting import wait_for
from tunedeck.client import Client
from tunedeck.log_lines import level_of, may_hold

NUM_LINES = 60_000
LINES = [
    "step 3: loss 0.5",
    "[rank 1] UserWarning: a default will change",
    "Traceback (most recent call last):",
    "torch.OutOfMemoryError: tried to allocate 2 GiB",
    "no terror here, nor errors of spelling",
    "DeprecationWarning: use the other",
    "the job was killed by signal 9",
]


@pytest.fixture
def run(attempt: Attempt) -> ScriptedAttempt:
    started = attempt("talks")
    started.begin(300)
    return started


def test_the_log_follows_and_stops_following_when_asked(page: Page, run: ScriptedAttempt) -> None:
    run.log(f"line {number}" for number in range(1, 801))
    page.goto(f"/runs/{run.job_id}#logs")
    lines = page.locator("#log-lines li")
    expect(lines.last).to_have_text("line 800")
    run.log(["line 801"])
    expect(lines.last).to_have_text("line 801")
    expect(lines.last).to_be_in_viewport()
    page.click("#follow")
    page.evaluate("() => document.querySelector('#log').scrollTo(0, 0)")
    expect(lines.first).to_have_text("line 1")
    run.log(["line 802"])
    expect(page.locator("#log-note")).to_have_text("802 lines")
    expect(lines.first).to_have_text("line 1")


def test_a_line_that_is_told_while_others_are_fetched_is_shown(
    page: Page, run: ScriptedAttempt, client: Client
) -> None:
    held: list[Route] = []
    fetched = "**/logs?first_line=1&*"
    # Each of them: the first word of the stream has the page ask again.
    page.route(fetched, lambda route: held.append(route))
    run.log(["line 1", "line 2"])
    # Lines that the stream tells are not fetched.
    wait_for(lambda: client.logs(run.job_id).num_lines == 2, "the lines")
    page.goto(f"/runs/{run.job_id}#logs")
    lines = page.locator("#log-lines li")
    expect(lines).to_have_text(["…", "…"])
    run.log(["line 3"])
    expect(page.locator("#log-note")).to_have_text("3 lines")
    for route in held:
        route.fulfill(json={"attempt": 1, "first_line": 1, "lines": ["line 1", "line 2"], "num_lines": 2})
    page.unroute(fetched)
    expect(lines).to_have_text(["line 1", "line 2", "line 3"])


def test_lines_that_come_while_the_log_is_searched_are_searched_too(page: Page, run: ScriptedAttempt) -> None:
    run.log(["a needle", "hay"])
    page.goto(f"/runs/{run.job_id}#logs")
    lines = page.locator("#log-lines li")
    expect(lines).to_have_count(2)
    page.fill("#log-search", "NEEDLE")
    expect(lines).to_have_text(["a needle"])
    run.log(["hay", "another needle"])
    expect(lines).to_have_text(["a needle", "another needle"])
    expect(page.locator("#log-note")).to_have_text("2 of 4 lines")


def test_a_long_log_has_elements_only_for_what_is_seen(page: Page, run: ScriptedAttempt) -> None:
    for first in range(0, NUM_LINES, 5000):
        run.log(f"line {number}" for number in range(first + 1, first + 5001))
    page.goto(f"/runs/{run.job_id}#logs")
    lines = page.locator("#log-lines li")
    expect(page.locator("#log-note")).to_have_text("60,000 lines")
    expect(lines.last).to_have_text("line 60000")
    page.click("#follow")
    page.evaluate("() => { const log = document.querySelector('#log'); log.scrollTop = log.scrollHeight / 2; }")
    expect(page.locator("#log-lines li[value='30000']")).to_have_text("line 30000")
    assert lines.count() < 150
    page.fill("#log-search", "LINE 4242")
    expect(lines).to_have_text([f"line {number}" for number in (4242, *range(42420, 42430))])


def test_lines_are_narrowed_to_a_rank_and_to_errors_and_the_last_error_is_found(
    page: Page, attempt: Attempt, tmp_path: Path
) -> None:
    run = attempt("talks-much")
    run.begin(300, num_ranks=2)
    run.log([*LINES, *(f"[rank {number % 2}] step {number}" for number in range(300))])
    page.goto(f"/runs/{run.job_id}#logs")
    lines = page.locator("#log-lines li")
    page.select_option("#log-level", "error")
    expect(lines).to_have_text([LINES[2], LINES[3], LINES[6]])
    page.select_option("#log-level", "")
    page.select_option("#log-rank", "1")
    expect(page.locator("#log-note")).to_have_text("157 of 307 lines")
    page.click("#log-error")
    expect(page.locator("#log-lines li[value='7']")).to_be_in_viewport()
    assert lines.count() > 20
    with page.expect_download() as download:
        page.click("#log-file")
    download.value.save_as(tmp_path / "log")
    assert (tmp_path / "log").read_text().splitlines()[:7] == LINES


def test_the_page_judges_a_line_as_the_server_does(page: Page) -> None:
    page.goto("/runs")
    told = page.evaluate(
        """async (lines) => {
            const root = document.querySelector('script[type="module"]').src;
            const { levelOf } = await import(new URL("../run/log/levels.js", root));
            return lines.map(levelOf);
        }""",
        LINES,
    )
    assert told == [level_of(line) for line in LINES]
    assert all(may_hold(f"info\n{line}\ninfo", frozenset({level_of(line)})) for line in LINES)
    assert told == ["info", "warning", "error", "error", "info", "warning", "error"]
