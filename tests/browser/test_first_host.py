"""The cluster page of a service that has no host yet: it says so, and shows the first one when it comes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import faults_of
from tests.browser.scripted_worker import ScriptedWorker
from tests.browser.service import BusAndBackend


@pytest.fixture
def without_hosts(tmp_path: Path) -> Iterator[BusAndBackend]:
    running = BusAndBackend(tmp_path)
    try:
        running.start()
        yield running
    finally:
        running.stop()


def test_the_first_host_appears_on_an_open_page(chromium: Browser, without_hosts: BusAndBackend) -> None:
    context = chromium.new_context(base_url=without_hosts.url)
    page = context.new_page()
    faults = faults_of(page)
    page.goto(f"/login?token={without_hosts.token}&next=/cluster")
    expect(page.get_by_role("heading", name="No host yet")).to_be_visible()
    expect(page.locator("#devices")).to_be_hidden()
    worker = ScriptedWorker(without_hosts.settings.resolved_redis_url())
    try:
        expect(page.locator('[data-host="box"]')).to_be_visible()
        expect(page.locator('[data-strips="box"]')).to_be_visible()
    finally:
        worker.close()
    context.close()
    assert faults == []
