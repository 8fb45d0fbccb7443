"""The run page while a run goes on: live, after a reload, after the death of the backend."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Attempt
from tests.browser.service import BusAndBackend
from tunedeck.client import Client

LOSS_POINTS = """() => {
    const [raw] = document.querySelector('#chart-loss .plot').data ?? [{x: [], y: []}];
    return raw.x.map((x, at) => [x, raw.y[at]]);
}"""

IS_WHOLE = """(points, last) =>
    points.length === last && points.every(([step, value], at) => step === at + 1 && Number.isFinite(value))"""


def loss_points(page: Page) -> list[tuple[int, float | None]]:
    """What the loss chart draws, gaps included."""
    return [(step, value) for step, value in page.evaluate(LOSS_POINTS)]


def wait_for_step(page: Page, step: int) -> None:
    page.wait_for_function(
        f"() => document.querySelector('#chart-loss .plot').data?.[0].x.at(-1) === {step}", timeout=30_000
    )


def expect_every_step(page: Page, last: int) -> None:
    page.wait_for_function(f"(last) => ({IS_WHOLE})(({LOSS_POINTS})(), last)", arg=last)


def test_charts_grow_with_the_run_and_the_page_says_when_it_has_ended(page: Page, attempt: Attempt) -> None:
    run = attempt("grows", num_steps=60)
    run.begin(60)
    run.steps(20)
    page.goto(f"/runs/{run.job_id}")
    expect_every_step(page, 20)
    expect(page.locator("#run-state")).to_contain_text("running")
    for _ in range(8):
        run.steps(5)
    run.validate()
    expect_every_step(page, 60)
    run.succeed()
    expect(page.locator("#run-state")).to_contain_text("succeeded")
    expect(page.locator("#run-progress")).to_contain_text("100%")
    expect(page.locator("#cancel")).to_be_hidden()
    assert page.title().startswith("succeeded")


def test_a_reload_and_a_killed_backend_lose_no_point(
    page_of: Callable[..., Page], attempt: Attempt, service: BusAndBackend
) -> None:
    page = page_of(may_fail=True)  # the browser itself reports the connections that the killed backend drops
    run = attempt("survives", num_steps=120)
    run.begin(120)
    run.steps(30)
    page.goto(f"/runs/{run.job_id}")
    expect_every_step(page, 30)
    run.steps(10)
    page.reload()
    run.steps(10)
    expect_every_step(page, 50)
    service.kill_backend()
    run.steps(20)
    expect(page.locator(".side [data-live]")).to_have_attribute("data-link", "reconnecting")
    service.start_backend()
    run.steps(10)
    expect_every_step(page, 80)
    expect(page.locator(".side [data-live]")).to_have_attribute("data-link", "live")
    run.steps(40)
    expect_every_step(page, 120)
    run.succeed()
    expect(page.locator("#run-state")).to_contain_text("succeeded")


def test_a_failed_run_shows_message_mend_and_the_end_of_its_log(page: Page, attempt: Attempt) -> None:
    run = attempt("fails")
    run.begin(300)
    run.steps(3)
    page.goto(f"/runs/{run.job_id}")
    wait_for_step(page, 3)
    said = ("out_of_memory", "Rank 0 asked for 2.1 GiB at step 4.", "Lower batching.max_tokens_per_gpu.")
    run.fail(*said, log_tail=("last words",))
    fault = page.locator("#run-fault")
    scene = "step 4 · forward and backward · rank 0 · 78.0 GiB of 80.0 GiB in use, at most 79.0 GiB"
    for text in (*said, scene, "last words"):
        expect(fault).to_contain_text(text)
    page.reload()
    for text in (scene, "last words"):
        expect(fault).to_contain_text(text)


def test_cancel_says_what_happens_and_asks_the_engine_to_stop(page: Page, attempt: Attempt, client: Client) -> None:
    run = attempt("is-cancelled")
    run.begin(300)
    run.steps(7)
    page.goto(f"/runs/{run.job_id}")
    expect(page.locator("#run-state")).to_contain_text("running")
    page.click("#cancel")
    expect(page.locator("#cancel-effect")).to_contain_text("writes a checkpoint, then frees the devices")
    page.click("#cancel-now")
    expect(page.locator("#run-state")).to_contain_text("stopping")
    assert client.job(run.job_id).desired == "cancel"
    run.checkpoint()
    run.stopped()
    expect(page.locator("#run-state")).to_contain_text("cancelled")
    page.click("#tab-checkpoints")
    expect(page.locator("#checkpoints")).to_contain_text("checkpoints/iter_0000007")


@pytest.mark.parametrize("name", ["JSON", "YAML", "curl"])
def test_the_spec_can_be_had_as_text(page: Page, attempt: Attempt, name: str) -> None:
    run = attempt(f"spec-{name.lower()}")
    page.goto(f"/runs/{run.job_id}#spec")
    page.click(f"#spec-forms >> text={name}")
    expect(page.locator("#spec-text")).to_contain_text(f"spec-{name.lower()}")
    expect(page.locator("#panel-spec")).to_contain_text("lr warmup iters")


def test_tags_and_notes_are_changed_and_no_change_is_lost(page_of: Callable[..., Page], attempt: Attempt) -> None:
    run = attempt("written-about")
    page, other = page_of(may_fail=True), page_of()  # Chromium reports the 409 as an error
    for each in (page, other):
        each.goto(f"/runs/{run.job_id}#notes")
        expect(each.locator("#no-notes")).to_be_visible()
    page.fill("#new-tag", "night paper")
    page.press("#new-tag", "Enter")
    expect(other.locator("#tag-list a")).to_have_text(["night", "paper"])
    other.click("[aria-label='Take the tag night away']")
    expect(page.locator("#tag-list a")).to_have_text(["paper"])
    for each, text in ((page, "mine <img src=x onerror=alert(1)>"), (other, "**theirs**")):
        each.click("#edit-notes")
        each.fill("#notes-text", text)
    other.click("#notes-form >> text=Save")
    expect(other.locator("#notes-html strong")).to_have_text("theirs")
    page.click("#notes-form >> text=Save")
    expect(page.locator("#notes-fault")).to_contain_text("the notes were changed by first")
    expect(page.locator("#notes-text")).to_have_value("mine <img src=x onerror=alert(1)>")
    expect(page.locator("#notes-html")).to_have_text("theirs")
    page.click("#notes-form >> text=Save")
    expect(page.locator("#notes-html")).to_have_text("mine <img src=x onerror=alert(1)>")
    expect(page.locator("#notes-html img")).to_have_count(0)
    page.reload()
    expect(page.locator("#notes-html")).to_have_text("mine <img src=x onerror=alert(1)>")
