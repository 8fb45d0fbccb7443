"""A channel is set up in the browser and told what happens; the spike that it is told of is marked on the charts."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.backend.alerts.receivers import Hook, hook_listening, is_signed
from tests.browser.conftest import Attempt
from tests.support.waiting import wait_for
from tunedeck.client import Client


def told_of(name: str, hook: Hook) -> list[tuple[str, str]]:
    """Event and rule of what arrived about the run of that name."""
    told = [json.loads(body) for _, body in list(hook.got)]
    return [(each["event"], each["alert"]["rule"]) for each in told if each["job"]["name"] == name]


@pytest.fixture
def hook(client: Client) -> Iterator[Hook]:
    """It listens for a channel that the test adds; no channel outlives the test."""
    with hook_listening() as listening:
        yield listening
    for channel in client.alerts.channels():
        client.alerts.remove_channel(channel.id)


def test_a_webhook_is_added_tested_and_told_of_a_spike(page: Page, attempt: Attempt, hook: Hook) -> None:
    page.goto("/settings")
    expect(page.locator("#rules")).to_contain_text("The loss has a spike")
    page.click('[data-action="webhook"]')
    page.fill("#webhook-name", "ops")
    page.fill("#webhook-url", hook.url)
    page.click("#webhook-now")
    expect(page.locator("#made-key-text")).not_to_be_empty()
    key = page.locator("#made-key-text").inner_text()
    page.locator("#channels").get_by_role("button", name="Send a test").click()
    expect(page.locator("#deliveries")).to_contain_text("delivered, 1 try")
    assert is_signed(key, *hook.got[0])
    assert "very-secret-path" not in page.content()

    run = attempt("told-of-a-spike", num_steps=300)
    run.begin(300)
    run.steps(60)
    run.steps(2, loss=8.0)
    wait_for(lambda: [body for _, body in hook.got if b"told-of-a-spike: Loss spike" in body], "the alert")
    page.goto(f"/runs/{run.job_id}")
    marks = "() => document.querySelector('#chart-loss .plot').data?.some((trace) => trace.name === 'alert')"
    page.wait_for_function(marks)
    run.succeed()
    spike = "The loss has a spike"
    expected = {("opened", "A run has finished"), ("opened", spike), ("resolved", spike)}
    wait_for(lambda: set(told_of("told-of-a-spike", hook)) == expected, "the end")
    page.goto("/settings")
    page.locator("#channels").get_by_role("button", name="Remove").click()
    expect(page.locator("#no-channels")).to_be_visible()
