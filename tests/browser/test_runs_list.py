"""The list of runs: live, filtered by URL, walked by keyboard."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import APIResponse, Locator, Page, Route, expect

from tests.browser.conftest import Attempt
from tests.browser.scripted_worker import ScriptedAttempt
from tests.support.waiting import wait_for
from tunedeck.client import Client


def test_a_row_moves_with_its_run_and_a_new_run_appears_at_the_top(page: Page, attempt: Attempt) -> None:
    run = attempt("listed")
    page.goto("/runs")
    row = page.locator(f'[data-job="{run.job_id}"]')
    run.begin(300)
    run.steps(150)
    expect(row).to_contain_text("running")
    expect(row).to_contain_text("150 / 300 steps")
    expect(row.locator('[data-cell="percent"]')).to_have_text("50%")
    expect(row.locator('[data-cell="validation_loss"]')).to_have_text("2.920")
    newer = attempt("listed-later")
    expect(page.locator("#runs tr").first).to_contain_text("listed-later")
    expect(page.locator("#running-count")).to_contain_text("running")
    run.succeed()
    newer.begin(300)
    newer.succeed()
    expect(row).to_contain_text("succeeded")


def row_of(page: Page, run: ScriptedAttempt) -> Locator:
    return page.locator(f'[data-job="{run.job_id}"]')


def fail(run: ScriptedAttempt) -> None:
    run.fail("engine_failed", "It ended without a word.", "Read the log.", ())


def test_filter_and_search_stand_in_the_url_and_survive_a_reload(page: Page, attempt: Attempt) -> None:
    """The ends of both runs may be told before the page is opened, while it loads, and after."""
    good, bad = attempt("filter-good"), attempt("filter-bad")
    for run in (good, bad):
        run.begin(300)
        run.steps(1)
    good.succeed()
    fail(bad)
    page.goto("/runs")
    page.click('[data-filter-state="failed"]')
    page.fill("#search", "filter-")
    expect(page).to_have_url("/runs?q=filter-&state=failed")
    expect(page.locator("#runs tr")).to_have_count(1)
    expect(row_of(page, bad)).to_contain_text("It ended without a word.")
    page.reload()
    expect(page.locator("#search")).to_have_value("filter-")
    expect(page.locator('[data-filter-state="failed"]')).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#runs tr")).to_have_count(1)
    expect(row_of(page, bad)).to_be_visible()
    page.fill("#search", "no such run")
    expect(page.locator("#no-match")).to_be_visible()
    page.click("#clear-filters")
    expect(row_of(page, good)).to_be_visible()
    expect(page).to_have_url("/runs")


def test_a_run_comes_when_it_begins_to_match_and_goes_when_it_no_longer_does(page: Page, attempt: Attempt) -> None:
    """Heard of while it does not match: that must not hide it later."""
    witness = attempt("turning-witness")
    witness.begin(300)
    fail(witness)
    page.goto("/runs?q=turning")
    run = attempt("turning-bad")
    run.begin(300)
    run.steps(3)
    expect(row_of(page, run)).to_contain_text("running")
    page.click('[data-filter-state="failed"]')
    expect(row_of(page, run)).to_have_count(0)
    expect(row_of(page, witness)).to_be_visible()
    fail(run)
    expect(row_of(page, run)).to_contain_text("It ended without a word.")
    expect(page.locator("#runs tr").first).to_have_attribute("data-job", run.job_id)
    page.goto("/runs?q=turning&state=running")
    expect(page.locator("#no-match")).to_be_visible()
    again = attempt("turning-again")
    again.begin(300)
    again.steps(3)
    expect(row_of(page, again)).to_be_visible()
    again.succeed()
    expect(row_of(page, again)).to_have_count(0)


def test_an_answer_that_is_older_than_what_was_heard_changes_nothing_back(
    page: Page, attempt: Attempt, client: Client
) -> None:
    """A list that was read before a run failed arrives after the stream has told of it."""
    run = attempt("overtaken")
    run.begin(300)
    run.steps(3)
    wait_for(lambda: client.job(run.job_id).step == 3, "the steps")
    page.goto("/runs?q=overtaken")
    expect(row_of(page, run)).to_contain_text("running")
    old: list[tuple[Route, APIResponse]] = []

    def keep_back(route: Route) -> None:
        """Only what the search below asks for: the page may ask for its first list at any time before."""
        url = route.request.url
        if "id=" in url or not re.search(r"[?&]q=overtake(&|$)", url):
            route.continue_()
        else:
            old.append((route, route.fetch()))

    page.route("**/api/v1/jobs?*", keep_back)
    page.fill("#search", "overtake")
    expect(page).to_have_url("/runs?q=overtake")
    wait_for(lambda: page.evaluate("() => 1") and old, "the list")
    fail(run)
    expect(row_of(page, run)).to_contain_text("It ended without a word.")
    for route, answer in old:
        # The button for older runs shows that the answer was taken.
        route.fulfill(response=answer, json={**answer.json(), "next_cursor": run.job_id})
    expect(page.locator("#older")).to_be_visible()
    expect(row_of(page, run)).to_contain_text("It ended without a word.")
    assert [job["state"] for job in old[0][1].json()["items"]] == ["running"]
    page.unroute_all()


def test_what_happens_between_the_page_and_its_stream_is_seen(page: Page, attempt: Attempt, client: Client) -> None:
    """The stream begins with what is new: the page asks for what it has missed."""
    run = attempt("missed")
    run.begin(300)
    run.steps(3)
    wait_for(lambda: client.job(run.job_id).state == "running", "the first step")
    held: list[Route] = []
    page.route("**/api/v1/stream", lambda route: held.append(route))
    page.goto("/runs?q=missed")
    expect(row_of(page, run)).to_contain_text("running")
    fail(run)
    wait_for(lambda: client.job(run.job_id).state == "failed", "the end of the run")
    wait_for(lambda: page.evaluate("() => 1") and held, "the request for the stream")
    for route in held:
        route.continue_()
    expect(row_of(page, run)).to_contain_text("It ended without a word.")


def test_a_search_names_fields_and_says_what_was_meant(page_of: Callable[..., Page], attempt: Attempt) -> None:
    page = page_of(may_fail=True)  # Chromium reports the 422 as an error
    fast, slow = attempt("lr-fast", optimizer={"lr": 5e-3}), attempt("lr-slow", optimizer={"lr": 5e-7})
    page.goto("/runs")
    page.fill("#search", "name:lr- optimizer.lr>1e-5")
    expect(row_of(page, slow)).to_have_count(0)
    expect(row_of(page, fast)).to_be_visible()
    page.fill("#search", "optimzer.lr>1e-5")
    expect(page.locator("#list-fault")).to_contain_text("did you mean optimizer.lr?")
    expect(page.locator("#search")).to_have_value("optimzer.lr>1e-5")
    page.reload()
    expect(page.locator("#list-fault")).to_contain_text("did you mean optimizer.lr?")
    page.fill("#search", "name:lr- lr<1e-6")
    expect(row_of(page, slow)).to_be_visible()
    expect(row_of(page, fast)).to_have_count(0)
    expect(page.locator("#list-fault")).to_be_empty()
    page.click(".search-help summary")
    expect(page.locator(".help-text")).to_contain_text("precision.fp8_recipe")


def test_ticked_runs_are_tagged_and_archived(page: Page, attempt: Attempt) -> None:
    runs = [attempt("shelf-1"), attempt("shelf-2")]
    for run in runs:
        run.begin(300)
        run.succeed()
    page.goto("/runs?q=shelf-&state=succeeded")
    for run in runs:
        row_of(page, run).locator("[data-cell=select]").check()
    page.click("#bulk-tag")
    page.fill("#tags-to-add", "baseline, night")
    page.click("#tag-form [value=send]")
    # The rows hear of their tags before the answer comes, which unticks them.
    expect(page.locator("#tag-dialog")).to_be_hidden()
    for run in runs:
        expect(row_of(page, run).locator(".tag")).to_have_text(["baseline", "night"])
    row_of(page, runs[0]).locator("[data-cell=select]").check()
    page.click("#bulk-tag")
    page.check("#tags-to-remove [value=night]")
    page.click("#tag-form [value=send]")
    expect(page.locator("#tag-dialog")).to_be_hidden()
    expect(row_of(page, runs[0]).locator(".tag")).to_have_text(["baseline"])
    row_of(page, runs[1]).locator(".tag", has_text="night").click()
    expect(page.locator("#search")).to_have_value("tag=night")
    expect(row_of(page, runs[0])).to_have_count(0)
    row_of(page, runs[1]).locator("[data-cell=select]").check()
    page.click("[data-bulk=archive]")
    expect(page.locator("#no-match")).to_be_visible()
    page.click("#archived")
    expect(page).to_have_url("/runs?q=tag%3Dnight&state=succeeded&archived=yes")
    row_of(page, runs[1]).locator("[data-cell=select]").check()
    page.click("[data-bulk=unarchive]")
    expect(row_of(page, runs[1])).to_have_count(0)
    page.click("#archived")
    expect(row_of(page, runs[1])).to_be_visible()


def test_a_row_that_no_longer_belongs_stays_until_it_is_let_go(page: Page, attempt: Attempt) -> None:
    run = attempt("let-go")
    run.begin(300)
    run.steps(3)
    page.goto("/runs?q=let-go&state=running")
    box = row_of(page, run).locator("[data-cell=select]")
    box.check()
    with page.expect_response(lambda response: "id=" in response.url):
        run.succeed()
        expect(row_of(page, run)).to_contain_text("succeeded")
    box.uncheck()
    expect(row_of(page, run)).to_have_count(1)  # it has the focus
    page.focus("#search")
    expect(row_of(page, run)).to_have_count(0)


def test_the_curve_of_a_row_grows_with_its_run(page: Page, attempt: Attempt) -> None:
    run = attempt("curved")
    run.begin(300)
    page.goto("/runs?q=curved")
    curve = row_of(page, run).locator(".sparkline")
    expect(curve).to_have_attribute("aria-label", "no training loss yet")
    run.steps(10)
    expect(curve).to_have_attribute("aria-label", re.compile("^training loss from .* to .*"))
    num_points = "(row) => row.querySelector('.sparkline path').getAttribute('d').split('L').length - 1"
    page.wait_for_function(f"(row) => ({num_points})(row) === 10", arg=row_of(page, run).element_handle())
    run.steps(90)
    page.wait_for_function(f"(row) => ({num_points})(row) === 25", arg=row_of(page, run).element_handle())
    page.reload()
    page.wait_for_function(f"(row) => ({num_points})(row) === 25", arg=row_of(page, run).element_handle())


def test_a_view_is_saved_opened_overwritten_and_deleted(page: Page, page_of: Callable[..., Page]) -> None:
    page.goto("/runs?q=tag%3Aview&state=failed")
    page.click("#saved-views summary")
    expect(page.locator("#no-views")).to_be_visible()
    page.fill("#view-name", "Bad ones")
    page.click("#save-view button")
    expect(page.locator("#view-note")).to_have_text("Saved as Bad ones.")
    other = page_of()
    other.goto("/runs")
    other.click("#saved-views summary")
    other.click("#views >> text=Bad ones")
    expect(other).to_have_url("/runs?q=tag%3Aview&state=failed")
    expect(other.locator("#search")).to_have_value("tag:view")
    other.click('[data-filter-state="failed"]')
    other.click("#saved-views summary")
    other.click("[aria-label='Save what is shown as Bad ones']")
    expect(other.locator("#view-note")).to_have_text("Saved as Bad ones.")
    page.goto("/runs")
    page.click("#saved-views summary")
    page.click("#views >> text=Bad ones")
    expect(page).to_have_url("/runs?q=tag%3Aview")
    expect(page.locator("#search")).to_have_value("tag:view")
    page.click("#saved-views summary")
    page.click("[aria-label='Delete the view Bad ones']")
    expect(page.locator("#no-views")).to_be_visible()
    page.click("text=Undo")
    page.click("[aria-label='Delete the view Bad ones']")
    expect(page.locator("#no-views")).to_be_visible()


def test_keys_search_walk_the_rows_and_open_the_form(page: Page, attempt: Attempt) -> None:
    second, first = attempt("keys-2"), attempt("keys-1")
    page.goto("/runs")
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("k")
    expect(page.locator(f'[data-job="{first.job_id}"] a')).to_be_focused()
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url(f"/runs/{second.job_id}")
    page.keyboard.press("/")
    page.wait_for_url("/runs")
    page.keyboard.press("/")
    expect(page.locator("#search")).to_be_focused()
    page.keyboard.type("n")
    expect(page).to_have_url("/runs?q=n")
    page.locator("#search").blur()
    page.keyboard.press("?")
    expect(page.locator("#help")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("n")
    expect(page).to_have_url("/new")


def test_older_runs_come_page_by_page(page: Page, client: Client) -> None:
    spec = {"model": "tiny", "dataset": "chats", "batching": {"global_batch_size": 4}}
    newest = [client.submit({**spec, "name": f"page-{number}"}).id for number in range(51)]
    for job_id in newest:
        client.cancel(job_id)
    page.goto("/runs")
    expect(page.locator(f'[data-job="{newest[0]}"]')).to_have_count(0)
    page.click("#older")
    expect(page.locator(f'[data-job="{newest[0]}"]')).to_have_count(1)
