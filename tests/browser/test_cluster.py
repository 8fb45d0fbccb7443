"""The cluster page: a GPU that had an error, and a host that is drained and taken back."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import hold_refresh
from tests.browser.scripted_worker import ScriptedWorker
from tests.support.jobs import facts_of
from tests.support.waiting import wait_for
from tunedeck.bus import DeviceFault, HelloMessage
from tunedeck.client import Client

HOST = "with-a-fault"
_errors = itertools.count(1)  # a device that was released is set aside again only by one more


@pytest.fixture
def faulty(worker: ScriptedWorker, client: Client) -> Iterator[str]:
    """A host whose only GPU is set aside; drained in the end, so that no run of another test lands there."""
    fault = DeviceFault(index=0, num_ecc_errors=0, num_xid_errors=next(_errors), why="Xid 79")
    facts = facts_of(HOST, num_devices=1, device="NVIDIA H200")
    worker.say(HelloMessage(facts=facts, attempts=(), faults=(fault,)))
    wait_for(lambda: [host for host in client.hosts() if host.facts.name == HOST and host.set_aside], "the fault")
    client.undrain(HOST)
    yield HOST
    client.drain(HOST)


def test_a_host_is_drained_with_a_reason_and_a_device_is_released(page: Page, faulty: str, client: Client) -> None:
    page.goto("/cluster")
    host = page.locator(f'[data-host="{faulty}"]')
    expect(host).to_contain_text("device 0 is set aside: Xid 79")
    expect(host).to_contain_text("0 of 1 × NVIDIA H200 free")
    host.get_by_role("button", name="Drain").click()
    page.fill("#drain-why", "new driver")
    page.click("#drain-now")
    expect(host).to_contain_text("drained by first: new driver")
    host.get_by_role("button", name="Release").click()
    expect(host).not_to_contain_text("set aside")
    host.get_by_role("button", name="Take back").click()
    expect(host).to_contain_text("1 of 1 × NVIDIA H200 free")


def test_a_host_that_is_gone_is_named_where_it_was_to_be_drained(page_of: Callable[..., Page], faulty: str) -> None:
    page = page_of(may_fail=True)
    hold_refresh(page)
    page.goto("/cluster")
    host = page.locator(f'[data-host="{faulty}"]')
    host.evaluate("(row) => { row.dataset.host = 'nowhere'; }")
    page.locator('[data-host="nowhere"]').get_by_role("button", name="Drain").click()
    page.click("#drain-now")
    expect(page.get_by_role("alert")).to_contain_text("there is no host 'nowhere'")
