"""The devices of the cluster page: live strips, their keys and labels, folds and search."""

from __future__ import annotations

import itertools
import re
import time
from collections.abc import Callable, Iterator

import pytest
import redis
from playwright.sync_api import Page, expect

from tests.browser.conftest import hold_refresh
from tests.browser.scripted_worker import ScriptedWorker
from tests.browser.service import BusAndBackend
from tests.support.jobs import facts_of
from tests.support.readings import reading, say
from tests.support.waiting import wait_for
from tunedeck.bus import HelloMessage
from tunedeck.client import Client

_numbers = itertools.count(1)
# How many colours a canvas shows: 1 is an empty one.
NUM_COLOURS = """(canvas) => {
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, 1);
    return new Set(Array.from({ length: canvas.width }, (_, x) => data.slice(4 * x, 4 * x + 4).join())).size;
}"""


@pytest.fixture
def bus(service: BusAndBackend) -> Iterator[redis.Redis]:
    client = redis.Redis.from_url(service.settings.resolved_redis_url())
    yield client
    client.close()


@pytest.fixture
def host(worker: ScriptedWorker, client: Client, bus: redis.Redis) -> Iterator[str]:
    """A new one with ten GPUs that has told two readings; drained, so that no run of another test lands there."""
    name = f"with-strips-{next(_numbers):02d}"
    worker.say(HelloMessage(facts=facts_of(name, num_devices=10, device="NVIDIA H200"), attempts=()))
    wait_for(lambda: [each for each in client.hosts() if each.facts.name == name], "the host")
    client.drain(name)
    for busy in (0.4, 0.5):
        say(bus, reading(name, 10, busy=busy))
        time.sleep(0.01)  # the time of a reading is in milliseconds, and two of a host never have the same
    yield name


def strips_of(page: Page, host: str) -> Page:
    """The page with the strips of one host unfolded and no other host shown."""
    page.goto("/cluster")
    page.fill("#find-host", host)
    fold = page.locator(f'[data-strips="{host}"]')
    expect(fold).to_be_visible()
    expect(page.locator("[data-strips]")).to_have_count(1)
    if fold.get_attribute("open") is None:
        fold.locator("summary").click()
    return page


def test_a_strip_shows_the_past_and_what_is_pushed(page: Page, host: str, bus: redis.Redis) -> None:
    strips_of(page, host)
    canvas = page.get_by_role("slider", name=f"Utilisation of GPU 0 of {host}")
    expect(canvas).to_have_attribute("aria-label", re.compile("now 50%, mean 4.%, most 50%$"))
    value = canvas.locator("xpath=..").locator(".reading")
    say(bus, reading(host, 10, busy=0.97))
    expect(value).to_have_text("97%")
    assert canvas.evaluate(NUM_COLOURS) > 1
    expect(page.locator("[data-strips] summary")).to_contain_text("665 of 800 GiB")
    expect(page.get_by_role("slider", name=f"Power of GPU 1 of {host}: now 601 of 700 W")).to_be_visible()
    expect(page.get_by_role("slider", name=f"Temperature of GPU 1 of {host}: now 61 °C")).to_be_visible()


def test_keys_go_through_the_strips_and_through_time(page: Page, host: str) -> None:
    strips_of(page, host)
    first = page.get_by_role("slider", name=f"Processor of Host of {host}")
    expect(first).to_be_visible()
    page.locator("[data-strips] summary").focus()
    page.keyboard.press("Tab")
    expect(first).to_be_focused()
    for _ in range(2):
        page.keyboard.press("ArrowDown")
    utilization = page.get_by_role("slider", name=f"Utilisation of GPU 0 of {host}")
    expect(utilization).to_be_focused()
    page.keyboard.press("ArrowLeft")
    expect(utilization.locator("xpath=..").locator(".reading")).to_have_text(re.compile(r"^40% at \d\d:\d\d:\d\d$"))
    expect(utilization).to_have_attribute("aria-valuetext", re.compile(r"^40% at \d\d:\d\d:\d\d$"))
    page.keyboard.press("ArrowUp")
    expect(utilization.locator("xpath=..").locator(".reading")).to_have_text("50%")
    expect(utilization).to_have_attribute("aria-valuetext", "50%")


def test_many_gpus_and_many_hosts_are_folded_and_found(page: Page, host: str) -> None:
    hold_refresh(page)
    strips_of(page, host)
    expect(page.get_by_role("rowheader")).to_have_count(9)
    page.get_by_role("button", name="and 2 more GPUs").click()
    expect(page.get_by_role("rowheader")).to_have_count(11)
    page.evaluate(
        """() => {
            const row = document.querySelector("#hosts [data-host]");
            for (let n = 0; n < 200; n += 1) {
                const copy = row.cloneNode(true);
                copy.dataset.host = `copy-${n}`;
                copy.querySelector("strong").textContent = `copy-${n}`;
                row.parentNode.append(copy);
            }
        }"""
    )
    page.fill("#find-host", "copy-1")
    expect(page.locator("[data-strips]")).to_have_count(12)
    expect(page.locator("#more-hosts")).to_have_text("12 of 111 hosts: show all")
    page.fill("#find-host", "nowhere")
    expect(page.locator("#no-such-host")).to_be_visible()


def test_a_host_that_never_told_a_reading_says_so(
    page_of: Callable[..., Page], worker: ScriptedWorker, client: Client
) -> None:
    page = strips_of(page_of(width=390), "box")
    expect(page.locator('[data-strips="box"]')).to_contain_text("Nothing has been read yet.")
    assert time.time() - (client.celery().last_heard_at or 0) < 60
    expect(page.locator("#celery")).to_contain_text("Workers alive")
    expect(page.locator("#celery")).to_contain_text("this backend")
