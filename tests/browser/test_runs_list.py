"""The list of runs: live, filtered by URL, walked by keyboard."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.browser.conftest import Attempt
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


def test_filter_and_search_stand_in_the_url_and_survive_a_reload(page: Page, attempt: Attempt) -> None:
    good, bad = attempt("filter-good"), attempt("filter-bad")
    for run in (good, bad):
        run.begin(300)
        run.steps(1)
    good.succeed()
    bad.fail("engine_failed", "It ended without a word.", "Read the log.", ())
    page.goto("/runs")
    page.click('[data-filter-state="failed"]')
    page.fill("#search", "filter-")
    expect(page.locator("#runs tr")).to_have_count(1)
    expect(page.locator("#runs")).to_contain_text("It ended without a word.")
    expect(page).to_have_url("/runs?q=filter-&state=failed")
    page.reload()
    expect(page.locator("#runs tr")).to_have_count(1)
    page.fill("#search", "no such run")
    expect(page.locator("#no-match")).to_be_visible()
    page.click("#clear-filters")
    expect(page.locator(f'[data-job="{good.job_id}"]')).to_be_visible()
    expect(page).to_have_url("/runs")


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
    newest = [client.submit({**spec, "name": f"page-{number}"}).id for number in range(101)]
    for job_id in newest:
        client.cancel(job_id)
    page.goto("/runs")
    expect(page.locator(f'[data-job="{newest[0]}"]')).to_have_count(0)
    page.click("#older")
    expect(page.locator(f'[data-job="{newest[0]}"]')).to_have_count(1)
