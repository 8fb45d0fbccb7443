"""One service and one Chromium for all browser tests; a logged-in page of its own for each.

Whatever a page writes to the console as an error, or throws, fails its test.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect, sync_playwright

from tests.browser.scripted_worker import ScriptedAttempt, ScriptedWorker
from tests.browser.service import BusAndBackend
from tests.support.backend import write_dataset, write_model
from tests.support.waiting import wait_for
from tunedeck.client import Client

CHROMIUM_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
# Several test runs may share two cores: this is patience, not a measurement.
expect.set_options(timeout=30_000)
SCREENS = Path(__file__).parents[2] / "build" / "screens"

Attempt = Callable[..., ScriptedAttempt]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


# Not for the session: while Playwright's synchronous interface is open, its event loop runs in this thread, and tests
# of other packages could start none.
@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    """One that is installed on the machine, else the one that Playwright has installed."""
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=list(CHROMIUM_FLAGS))
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BusAndBackend]:
    """With the model `tiny`, the data set `chats` and the host `box`."""
    running = BusAndBackend(tmp_path_factory.mktemp("d"))
    try:
        running.start()
        model = write_model(running.settings.models_dir / "tiny")
        dataset = write_dataset(running.settings.datasets_dir / "chats.jsonl")
        with running.client() as client:
            client.add_model("tiny", model)
            client.add_dataset("chats", dataset)
        yield running
    finally:
        running.stop()


@pytest.fixture(scope="package")
def worker(service: BusAndBackend) -> Iterator[ScriptedWorker]:
    scripted = ScriptedWorker(service.settings.resolved_redis_url())
    with service.client() as client:
        wait_for(lambda: client.hosts(), "the host")
    yield scripted
    scripted.close()


@pytest.fixture
def client(service: BusAndBackend) -> Iterator[Client]:
    with service.client() as made:
        yield made


@pytest.fixture
def attempt(worker: ScriptedWorker, client: Client) -> Attempt:
    """`attempt("name")` submits a job of that name and takes its first attempt."""

    def start(name: str, num_steps: int = 300, **fields: Any) -> ScriptedAttempt:
        spec = {
            "name": name,
            "model": "tiny",
            "dataset": "chats",
            "batching": {"global_batch_size": 4, "train_iters": num_steps},
            **fields,
        }
        return ScriptedAttempt(worker, client, client.submit(spec).id)

    return start


def faults_of(page: Page) -> list[str]:
    """What the page writes to its console as an error, or throws, from now on."""
    faults: list[str] = []
    page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: faults.append(str(error)))
    return faults


def hold_refresh(page: Page) -> None:
    """Keep the cluster page as it is loaded: it asks for itself again every few seconds and replaces what a test has
    changed in it."""

    def hold(route: Route) -> None:
        if route.request.resource_type != "fetch":
            route.continue_()

    page.route(re.compile(r"/cluster$"), hold)


def is_of_network(fault: str) -> bool:
    """Chromium itself reports each answer of 400 and above and each connection that breaks off."""
    return fault.startswith("Failed to load resource") or "net::ERR" in fault


@pytest.fixture
def page_of(chromium: Browser, service: BusAndBackend) -> Iterator[Callable[..., Page]]:
    """`page_of(width=390, color_scheme="dark")`: a page that is logged in."""
    contexts: list[BrowserContext] = []
    heard: list[tuple[list[str], bool]] = []

    def open_page(width: int = 1440, color_scheme: str = "light", may_fail: bool = False) -> Page:
        context = chromium.new_context(
            base_url=service.url,
            viewport={"width": width, "height": 900},
            color_scheme=color_scheme,  # type: ignore[arg-type]
            has_touch=width < 720,
            is_mobile=width < 720,
        )
        contexts.append(context)
        page = context.new_page()
        page.goto(f"/login?token={service.token}&next=/cluster")
        heard.append((faults_of(page), may_fail))
        return page

    yield open_page
    for context in contexts:
        context.close()
    faults = [fault for said, may_fail in heard for fault in said if not (may_fail and is_of_network(fault))]
    assert not faults, "\n".join(faults)


@pytest.fixture
def page(page_of: Callable[..., Page]) -> Page:
    return page_of()
