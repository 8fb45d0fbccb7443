"""Several runs side by side: their curves together and live, what came out, what was different."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Attempt
from tests.browser.scripted_worker import ScriptedAttempt
from tunedeck.client import Client

LINES = "() => document.querySelector('#chart-loss .plot').data?.map(({ name, x }) => [name, x.length]) ?? []"


@pytest.fixture
def two(attempt: Attempt) -> list[ScriptedAttempt]:
    runs = [attempt("cautious", optimizer={"lr": 1e-5}), attempt("bold", optimizer={"lr": 5e-4})]
    for number, run in enumerate(runs):
        run.begin(300)
        run.steps(20 + 10 * number)
        run.validate()
    return runs


def test_runs_are_chosen_by_search_and_stand_in_the_address(page: Page, two: list[ScriptedAttempt]) -> None:
    page.goto("/compare")
    expect(page.locator("#nothing-chosen")).to_be_visible()
    for run, name in zip(two, ("cautious", "bold"), strict=True):
        page.fill("#find-run", name)
        page.locator("#hits button", has_text=run.job_id).click()
        expect(page.locator("#chosen")).to_contain_text(name)
    assert [part.removeprefix("run=") for part in page.url.split("?")[1].split("&")] == [run.job_id for run in two]
    page.click("[aria-label='Leave out cautious']")
    expect(page.locator("#chosen li")).to_have_count(1)
    assert two[0].job_id not in page.url


def test_ticked_runs_of_the_list_are_compared_by_key(page: Page, two: list[ScriptedAttempt]) -> None:
    page.goto("/runs")
    for run in two:
        page.check(f"[data-job={run.job_id}] [data-cell=select]")
    page.locator("#content").press("c")
    expect(page.locator("#chosen li")).to_have_count(2)


def test_the_curves_of_all_runs_grow_in_one_chart(page: Page, two: list[ScriptedAttempt]) -> None:
    page.goto(f"/compare?run={two[0].job_id}&run={two[1].job_id}&smooth=0")
    page.wait_for_function(f'() => JSON.stringify(({LINES})()) === \'[["cautious",20],["bold",30]]\'')
    two[0].steps(5)
    page.wait_for_function(f"() => ({LINES})()[0][1] === 25")
    two[1].steps(1)
    page.wait_for_function(f"() => ({LINES})()[1][1] === 31")


def test_only_what_differs_is_listed_until_everything_is_asked_for(page: Page, two: list[ScriptedAttempt]) -> None:
    page.goto(f"/compare?run={two[0].job_id}&run={two[1].job_id}#configuration")
    rows = page.locator("#configuration tbody tr")
    expect(rows).to_have_count(1)
    expect(rows.first).to_have_text("optimizer.lr0.000010.0005")
    page.check("#all-fields")
    assert rows.count() > 40
    page.select_option("#group-by", "optimizer.lr")
    assert "group=optimizer.lr" in page.url


def test_results_sort_by_their_heading_and_the_best_stands_out(page: Page, two: list[ScriptedAttempt]) -> None:
    page.goto(f"/compare?run={two[0].job_id}&run={two[1].job_id}#results")
    names = page.locator("#results tbody tr td:first-child")
    expect(names).to_have_text(["cautious", "bold"])
    page.click("#results >> text=Steps")
    page.click("#results >> text=Steps")
    expect(names).to_have_text(["bold", "cautious"])
    expect(page.locator("#results tr", has_text="bold").locator("td.best").nth(1)).to_be_visible()


def test_a_run_that_is_gone_does_not_hide_the_others(page_of: Any, two: list[ScriptedAttempt], client: Client) -> None:
    page = page_of(may_fail=True)  # Chromium reports the 404 as an error
    page.goto(f"/compare?run={two[0].job_id}&run=nosuchrun")
    expect(page.locator("#compare-fault")).to_contain_text("nosuchrun")
    expect(page.locator("#chosen li")).to_have_count(1)
    assert client.job(two[0].job_id).step == 20
