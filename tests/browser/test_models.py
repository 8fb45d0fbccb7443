"""The models page: add, hear why not."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.browser.service import BusAndBackend
from tests.support.backend import write_model


def test_a_path_outside_the_allowed_folders_is_refused_at_its_field(page_of: Callable[..., Page]) -> None:
    page = page_of(may_fail=True)
    page.goto("/models")
    page.fill("#r-path", "/etc")
    page.fill("#r-name", "mine")
    page.click("#register button")
    expect(page.locator('[data-field="path"] .fault')).to_contain_text("/etc")
    expect(page.locator("#r-path")).to_have_value("/etc")


def test_a_folder_of_the_server_becomes_a_model(page: Page, service: BusAndBackend) -> None:
    folder = write_model(service.settings.models_dir / "second")
    page.goto("/models")
    page.fill("#r-path", str(folder))
    page.fill("#r-name", "second")
    page.click("#register button")
    expect(page.locator('[data-name="second"]')).to_contain_text("Qwen3ForCausalLM")
