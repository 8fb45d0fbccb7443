"""Everything real: `tunedeck up`, the demo model, Megatron-core on the CPU, and a backend that is killed on the way."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import SCREENS, faults_of, is_of_network
from tests.browser.test_run_page import expect_every_step, loss_points
from tests.support.up import Up, running_up
from tunedeck.demo.registration import register

NUM_STEPS = 120


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """With the demo's model and its questions."""
    with running_up(tmp_path_factory.mktemp("up")) as running:
        with running.client() as client:
            register(client, running.settings)
        yield running


@pytest.mark.slow
@pytest.mark.stack
@pytest.mark.timeout(600)
def test_a_run_from_the_form_survives_a_killed_backend_without_a_gap(chromium: Browser, up: Up) -> None:
    page = chromium.new_context(base_url=up.url, viewport={"width": 1440, "height": 900}).new_page()
    faults = faults_of(page)
    page.goto(f"/login?token={up.token}&next=/new")
    _submit(page)
    _wait_for_points(page, 3)
    page.reload()
    _wait_for_points(page, 6)
    up.backend().kill()
    _wait_for_points(page, NUM_STEPS * 2 // 3)
    page.screenshot(path=SCREENS / "live-run-1440-light.png")
    expect(page.locator("#run-state")).to_have_text(re.compile("succeeded|failed"), timeout=240_000)
    assert page.inner_text("#run-fault") == ""
    expect_every_step(page, NUM_STEPS)
    losses = [value for _, value in loss_points(page) if value is not None]
    assert sum(losses[-5:]) < sum(losses[:5])
    page.click("#tab-checkpoints")
    expect(page.locator("#checkpoints")).to_contain_text("Hugging Face folder")
    assert [fault for fault in faults if not is_of_network(fault)] == []
    page.context.close()


def _wait_for_points(page: Page, number: int) -> None:
    """Or for the run to fail: its page then says why, and the test does too."""
    page.wait_for_function(
        f"""() => document.querySelector('#run-fault').childElementCount
            || document.querySelector('#chart-loss .plot').data?.[0].x.length >= {number}""",
        timeout=180_000,
    )
    assert page.inner_text("#run-fault") == ""


def _submit(page: Page) -> None:
    page.fill('[name="name"]', "real-run")
    page.select_option("#f-length-unit", "batching.train_iters")
    for name, value in {
        "#f-length": str(NUM_STEPS),
        '[name="optimizer.lr"]': "1e-3",
        '[name="batching.global_batch_size"]': "8",
        '[name="batching.max_tokens_per_gpu"]': "512",
    }.items():
        page.fill(name, value)
    expect(page.locator("#verdict")).to_have_text("Ready to start")
    page.click("#submit")
    page.wait_for_url("**/runs/*")
