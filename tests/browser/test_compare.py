"""Several runs side by side: their curves together and live, what came out, what was different."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import Attempt
from tests.browser.scripted_worker import ScriptedAttempt
from tests.support.waiting import wait_for
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
    expect(page).to_have_url(f"/compare?run={two[0].job_id}&run={two[1].job_id}")
    page.click("[aria-label='Leave out cautious']")
    expect(page.locator("#chosen li")).to_have_count(1)
    expect(page).to_have_url(f"/compare?run={two[1].job_id}")


def test_what_is_shown_stays_live_while_another_run_is_fetched(page: Page, two: list[ScriptedAttempt]) -> None:
    """The tables are drawn again every two seconds, also without what is not known yet."""
    shown, late = two
    held: list[Route] = []
    page.clock.install()
    page.route(f"**/api/v1/jobs/{late.job_id}", lambda route: held.append(route))
    page.goto(f"/compare?run={shown.job_id}")
    expect(page.locator("#chosen li")).to_have_count(1)
    page.fill("#find-run", "bold")
    page.locator("#hits button", has_text=late.job_id).click()
    wait_for(lambda: page.evaluate("() => 1") and held, "the request for the run")
    page.clock.run_for(5_000)
    held[0].continue_()
    expect(page.locator("#chosen li")).to_have_count(2)


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
    expect(page).to_have_url(re.compile(r"[?&]group=optimizer\.lr\b"))


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


TRACES = (
    "() => document.querySelector('#chart-loss .plot').data?.map(({ name, fill, y }) => [name, fill ?? '', y]) ?? []"
)


def test_a_group_is_drawn_as_its_mean_within_the_range_of_its_runs(page: Page, attempt: Attempt) -> None:
    rates = (1e-5, 1e-5, 5e-4)
    runs = [attempt(f"group-{number}", optimizer={"lr": lr}) for number, lr in enumerate(rates)]
    for run, num_steps in zip(runs, (30, 20, 10), strict=True):
        run.begin(300)
        run.steps(num_steps)
    page.goto("/compare?" + "&".join(f"run={run.job_id}" for run in runs) + "&smooth=0")
    page.wait_for_function(f"() => ({TRACES})().map(([, , y]) => y.length).join() === '30,20,10'")
    long, short, alone = (y for _, _, y in page.evaluate(TRACES))
    page.select_option("#group-by", "optimizer.lr")
    page.select_option("#draw", "groups")
    page.wait_for_function(f"() => ({TRACES})().length === 6")
    low, high, mean, *other = page.evaluate(TRACES)
    assert (mean[0], high[1]) == ("lr 0.00001", "tonexty")
    both = list(zip(long, short, strict=False))
    assert low[2] == [*map(min, both), *long[20:]]
    assert high[2] == [*map(max, both), *long[20:]]
    assert mean[2] == pytest.approx([sum(pair) / 2 for pair in both] + long[20:])
    assert [y for _, _, y in other] == [alone] * 3
    expect(page.locator("#legend li")).to_have_text(["lr 0.00001 · 2 runs", "lr 0.0005 · 1 run"])
    runs[2].steps(5)
    page.wait_for_function(f"() => ({TRACES})().at(-1)[2].length === 15")
    page.reload()
    page.wait_for_function(f"() => ({TRACES})().length === 6")


def test_all_that_a_search_finds_is_added_at_once(page_of: Any, attempt: Attempt) -> None:
    page = page_of(may_fail=True)  # Chromium reports the 422 as an error
    for lr in (3e-5, 4e-5, 5e-2):
        attempt("added-at-once", optimizer={"lr": lr})
    page.goto("/compare")
    page.fill("#find-run", "added-at-once lr<1e-3")
    page.click(".all-hits")
    expect(page.locator("#chosen li")).to_have_count(2)
    page.fill("#find-run", "learning_rate:1")
    expect(page.locator("#hits")).to_contain_text("there is no field learning_rate")


def test_the_results_keep_the_focus_while_they_grow(page: Page, two: list[ScriptedAttempt]) -> None:
    page.goto(f"/compare?run={two[0].job_id}&run={two[1].job_id}#results")
    page.click("#results >> text=Steps")
    steps = page.locator("#results tbody tr", has_text="cautious").locator("td").nth(1)
    expect(steps).to_have_text("20")
    link = page.locator("#results tbody a", has_text="cautious")
    link.focus()
    two[0].steps(25)
    expect(steps).to_have_text("45")
    expect(page.locator("#results tbody tr td:first-child")).to_have_text(["bold", "cautious"])
    expect(link).to_be_focused()


LENGTHS = f"({LINES})().map(([, length]) => length)"


def test_a_zoom_fetches_every_point_of_a_part_of_each_run(page: Page, attempt: Attempt) -> None:
    runs = [attempt(f"long-{number}", num_steps=4_000) for number in range(2)]
    for run in runs:
        run.begin(4_000)
        run.steps(3_000)
    address = "/compare?" + "&".join(f"run={run.job_id}" for run in runs) + "&smooth=0"
    page.goto(address + "&range=1000~1400")
    # And one behind, to which the lines go on.
    page.wait_for_function(f"() => {LENGTHS}.join() === '402,402'")
    page.click("#reset-zoom")
    page.wait_for_function(f"() => {LENGTHS}.every((length) => length > 900 && length < 1500)")


def test_the_more_runs_are_compared_the_fewer_points_of_each_are_drawn(page: Page, attempt: Attempt) -> None:
    runs = [attempt(f"shares-{number}", num_steps=2_000) for number in range(12)]
    for run in runs:
        run.begin(2_000)
        run.steps(1_500)
    page.goto("/compare?" + "&".join(f"run={run.job_id}" for run in runs) + "&smooth=0")
    page.wait_for_function(
        f"() => {LENGTHS}.length === 12 && {LENGTHS}.every((length) => length > 400 && length < 520)"
    )
    for number in range(8):
        page.click(f"[aria-label='Leave out shares-{number}']")
    page.wait_for_function(f"() => {LENGTHS}.length === 4 && {LENGTHS}.every((length) => length > 700)")
