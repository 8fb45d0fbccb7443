"""How every page looks, at both widths and in both themes: pictures in build/screens/, and nothing wider than its page.

The README's picture of the live page is not one of these: it is of the demo, which trains.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import SCREENS, Attempt
from tests.browser.scripted_worker import ScriptedAttempt
from tunedeck.actions import Pause, Reprioritise
from tunedeck.client import Client

WIDTHS = (1440, 390)
THEMES = ("light", "dark")
# What a sighted user would see as broken: the page scrolls sideways.
OVERFLOW = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
# A chart is drawn when it is seen.
SEE_EVERY_CHART = """async () => {
    for (const plot of document.querySelectorAll('.chart:not([hidden]) .plot')) {
        plot.scrollIntoView();
        while (!plot.querySelector('.main-svg')) await new Promise((resolve) => setTimeout(resolve, 50));
    }
    scrollTo(0, 0);
}"""


@pytest.fixture
def running(attempt: Attempt) -> Iterator[ScriptedAttempt]:
    run = attempt("qwen3-0.6b-support", num_steps=300)
    run.begin(300)
    for _ in range(9):
        run.steps(20)
        run.validate()
    run.checkpoint()
    yield run
    run.succeed()


@pytest.fixture
def failed(attempt: Attempt) -> ScriptedAttempt:
    run = attempt("long-context-32k", num_steps=300)
    run.begin(300)
    run.steps(42)
    run.fail(
        code="out_of_memory",
        message="Rank 0 asked for 2.1 GiB at step 43; 0.4 GiB were free.",
        mend="Lower batching.max_tokens_per_gpu.",
        log_tail=("step 42: loss 1.6402", "torch.OutOfMemoryError: tried to allocate 2.10 GiB"),
    )
    return run


@pytest.fixture
def paused(attempt: Attempt, client: Client) -> ScriptedAttempt:
    run = attempt("paused-for-the-night", num_steps=300)
    run.begin(300)
    run.steps(120)
    run.checkpoint()
    client.act(run.job_id, Pause())
    run.stopped()
    client.act(run.job_id, Reprioritise(priority=5))
    return run


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("width", WIDTHS)
def test_every_page_fits_its_width(
    page_of: Callable[..., Page],
    running: ScriptedAttempt,
    failed: ScriptedAttempt,
    paused: ScriptedAttempt,
    width: int,
    theme: str,
) -> None:
    page = page_of(width=width, color_scheme=theme)
    for name, address in {
        "runs": "/runs",
        "runs-selected": "/runs?q=",
        "run": f"/runs/{running.job_id}",
        "run-failed": f"/runs/{failed.job_id}",
        "run-paused": f"/runs/{paused.job_id}#timeline",
        "run-retry": f"/runs/{failed.job_id}#timeline",
        "run-logs": f"/runs/{running.job_id}#logs",
        "run-checkpoints": f"/runs/{running.job_id}#checkpoints",
        "run-spec": f"/runs/{running.job_id}#spec",
        "run-timeline": f"/runs/{running.job_id}#timeline",
        "run-artifacts": f"/runs/{running.job_id}#artifacts",
        "new": f"/new?from={running.job_id}",
        "new-all-fields": f"/new?from={running.job_id}",
        "data": "/data",
        "data-set": "/data/chats",
        "data-set-tokens": "/data/chats?row=2#tokens",
        "data-set-reading": "/data/chats#reading",
        "compare": f"/compare?run={running.job_id}&run={failed.job_id}",
        "compare-results": f"/compare?run={running.job_id}&run={failed.job_id}#results",
        "compare-configuration": f"/compare?run={running.job_id}&run={failed.job_id}#configuration",
        "models": "/models",
        "cluster": "/cluster",
        "settings": "/settings",
    }.items():
        page.goto("about:blank")  # else a new hash would only switch the tab
        page.goto(address)
        if name in ("run", "run-failed", "compare"):
            page.wait_for_function("() => document.querySelector('#chart-loss .plot').data")
            page.evaluate(SEE_EVERY_CHART)
        if name == "new-all-fields":
            page.click("#all-fields summary")
        if name == "runs-selected":
            page.locator('#runs [data-cell="select"]').first.check()
        if name == "run-retry":
            page.click('[data-action="retry"]')
        if name == "run-logs":
            expect(page.locator("#log-lines li").last).to_contain_text("loss")
        page.wait_for_load_state("load")
        assert page.evaluate(OVERFLOW) <= 0, name
        page.screenshot(path=SCREENS / f"{name}-{width}-{theme}.png", full_page=True)


@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize("theme", THEMES)
def test_login_and_error_pages(page_of: Callable[..., Page], theme: str, width: int) -> None:
    page = page_of(width, theme, may_fail=True)  # Chromium reports the 404 as an error
    page.goto("/runs/nosuchjob")
    assert "nosuchjob" in page.inner_text("main")
    page.screenshot(path=SCREENS / f"error-{width}-{theme}.png")
    page.context.clear_cookies()
    page.goto("/runs")
    assert page.locator("#token").is_visible()
    page.screenshot(path=SCREENS / f"login-{width}-{theme}.png")
