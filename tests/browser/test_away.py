"""A reader who was away: a laptop that slept, a second tab."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.browser.conftest import Attempt
from tests.browser.test_run_page import expect_every_step
from tests.support.waiting import wait_for
from tunedeck.client import Client

TEN_MINUTES_MS = 600_000


def test_a_laptop_that_slept_for_ten_minutes_catches_up(
    page_of: Callable[..., Page], attempt: Attempt, client: Client
) -> None:
    page = page_of(may_fail=True)  # Chromium reports each connection that breaks off
    page.clock.install()
    run = attempt("goes-on-overnight")
    run.begin(300)
    run.steps(20)
    page.goto(f"/runs/{run.job_id}")
    page.clock.run_for(1_000)
    expect_every_step(page, 20)
    page.context.set_offline(True)
    run.steps(60)
    run.validate()
    run.checkpoint()
    wait_for(lambda: client.job(run.job_id).step == 80, "the steps")
    page.clock.fast_forward(TEN_MINUTES_MS)
    page.context.set_offline(False)
    page.clock.resume()
    run.steps(10)
    expect_every_step(page, 90)
    expect(page.locator(".side [data-live]")).to_have_attribute("data-link", "live")


def test_two_tabs_show_the_same_run(page: Page, attempt: Attempt) -> None:
    run = attempt("is-seen-twice")
    run.begin(300)
    run.steps(10)
    second = page.context.new_page()
    for tab in (page, second):
        tab.goto(f"/runs/{run.job_id}")
        expect_every_step(tab, 10)
    run.steps(15)
    for tab in (page, second):
        tab.bring_to_front()
        expect_every_step(tab, 25)
