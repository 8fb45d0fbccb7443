"""Answers that come late, after newer ones or after what the stream has told meanwhile, hide nothing that is newer."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import Attempt
from tests.browser.held_answers import HeldAnswer
from tests.browser.scripted_worker import ScriptedAttempt
from tests.support.waiting import wait_for
from tunedeck.client import Client


@pytest.fixture
def run(attempt: Attempt) -> ScriptedAttempt:
    started = attempt("answers-late")
    started.begin(300)
    return started


@pytest.fixture
def box(client: Client) -> Iterator[str]:
    """A host that is not drained, nor afterwards."""
    yield "box"
    client.undrain("box")


def test_a_first_list_of_views_hides_none_that_was_saved_since(page: Page) -> None:
    page.goto("/runs")
    first = HeldAnswer(page, "/views/runs")
    page.click("#saved-views summary")
    first.wait()
    page.fill("#view-name", "Saved early")
    page.press("#view-name", "Enter")
    saved = page.locator("#views").get_by_role("link", name="Saved early")
    expect(saved).to_be_visible()
    first.release()
    assert saved.is_visible()
    page.get_by_role("button", name="Delete the view Saved early").click()
    expect(page.locator("#view-note")).to_contain_text("is deleted")


def test_a_checkpoint_is_listed_whenever_it_was_written(page: Page, run: ScriptedAttempt, client: Client) -> None:
    streams: list[Route] = []
    page.route("**/api/v1/stream?*", lambda route: streams.append(route), times=1)
    page.goto(f"/runs/{run.job_id}#checkpoints")
    expect(page.locator("#no-checkpoints")).to_be_visible()
    run.steps(1)
    run.checkpoint()
    wait_for(lambda: client.checkpoints(run.job_id), "the checkpoint")
    streams[0].continue_()
    rows = page.locator("#checkpoints tr")
    expect(rows).to_have_count(1)

    late = HeldAnswer(page, "/checkpoints")
    run.steps(1)
    run.checkpoint()
    late.wait()
    run.steps(1)
    run.checkpoint()
    expect(rows).to_have_count(3)
    late.release()
    assert rows.count() == 3


def test_a_line_that_is_told_while_the_length_is_asked_for_is_counted(page: Page, run: ScriptedAttempt) -> None:
    run.log(["line 1", "line 2"])
    page.goto(f"/runs/{run.job_id}#logs")
    lines = page.locator("#log-lines li")
    expect(lines).to_have_text(["line 1", "line 2"])
    late = HeldAnswer(page, "/logs?first_line=-1&limit=1&attempt=0")
    page.dispatch_event("#log-attempt", "change")
    late.wait()
    run.log(["line 3"])
    expect(lines).to_have_text(["line 1", "line 2", "line 3"])
    late.release()
    expect(page.locator("#log-note")).to_have_text("3 lines")
    expect(lines).to_have_text(["line 1", "line 2", "line 3"])


def test_notes_that_were_read_before_others_were_saved_do_not_come_back(page: Page, run: ScriptedAttempt) -> None:
    page.goto(f"/runs/{run.job_id}")
    late = HeldAnswer(page, "/notes")
    page.click("#tab-notes")
    late.wait()
    page.click("#edit-notes")
    page.fill("#notes-text", "It learns.")
    page.click("#notes-form button:not([type=button])")
    expect(page.locator("#notes-html")).to_have_text("It learns.")
    late.release()
    assert page.inner_text("#notes-html") == "It learns."


def test_a_cluster_that_was_asked_for_earlier_is_not_shown_later(page: Page, client: Client, box: str) -> None:
    page.clock.install()
    page.goto("/cluster")
    late = HeldAnswer(page, "/cluster")
    page.clock.run_for(6_000)
    late.wait()
    client.drain(box, why="a new driver")
    page.clock.run_for(6_000)
    host = page.locator(f'[data-host="{box}"]')
    expect(host).to_contain_text("a new driver")
    late.release()
    assert "a new driver" in host.inner_text()


def test_rules_that_were_asked_for_earlier_are_not_shown_later(page: Page) -> None:
    page.goto("/settings")
    states = page.locator('#rules [data-label="State"]')
    expect(states.first).to_have_text("on")
    switches = page.locator('#rules [data-does="toggle"]')
    late = HeldAnswer(page, "/alerts/rules")
    switches.nth(0).click()
    late.wait()
    switches.nth(1).click()
    expect(states.nth(1)).to_have_text("off")
    late.release()
    assert states.nth(1).inner_text() == "off"
    for number in (0, 1):
        switches.nth(number).click()
        expect(states.nth(number)).to_have_text("on")


def test_rows_that_were_asked_for_earlier_are_not_shown_later(page: Page) -> None:
    page.goto("/data/chats#rows")
    expect(page.locator("#rows")).to_contain_text("0+1?")
    late = HeldAnswer(page, "/rows?first=11&limit=10&version=1")
    page.click("#later")
    late.wait()
    page.fill("#first-row", "21")
    page.locator("#first-row").blur()
    expect(page.locator("#rows")).to_contain_text("20+1?")
    late.release()
    assert page.input_value("#first-row") == "21"
    expect(page.locator("#rows")).to_contain_text("20+1?")


def test_a_check_of_an_earlier_spec_does_not_hide_why_a_run_was_refused(page: Page, run: ScriptedAttempt) -> None:
    page.goto(f"/new?from={run.job_id}")
    expect(page.locator("#verdict")).to_have_text("Ready to start")
    late = HeldAnswer(page, "/jobs/check", "POST")
    name = page.locator('#new-run [name="name"]')
    name.fill("another-name")
    late.wait()
    name.fill("")
    name.press("Enter")
    expect(page.locator("#verdict")).to_have_text("One thing to mend")
    late.release()
    assert page.inner_text("#verdict") == "One thing to mend"
