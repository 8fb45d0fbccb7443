"""The data and models pages: add, see what is in it, hear why not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.browser.service import BusAndBackend
from tests.support.backend import write_dataset, write_model


def test_an_uploaded_file_is_listed_with_its_rows_and_can_be_looked_into(page: Page, tmp_path: Path) -> None:
    page.goto("/data")
    page.set_input_files("#u-file", write_dataset(tmp_path / "my chats.jsonl", num_rows=25))
    expect(page.locator("#u-name")).to_have_value("my-chats")
    page.click("#upload button:has-text('Upload')")
    row = page.locator('[data-name="my-chats"]')
    expect(row).to_contain_text("25")
    row.get_by_role("button").click()
    expect(page.locator("#preview")).to_contain_text("0+1?")
    expect(page.locator("#preview-about")).to_contain_text("of 25 rows")


def test_a_file_without_rows_is_refused_with_a_mend_and_the_form_keeps_its_values(
    page_of: Callable[..., Page], tmp_path: Path
) -> None:
    page = page_of(may_fail=True)  # Chromium reports every 422 as an error
    empty = tmp_path / "empty.jsonl"
    empty.write_text("")
    page.goto("/data")
    page.set_input_files("#u-file", empty)
    page.click("#upload button:has-text('Upload')")
    expect(page.locator("#upload .fault:visible, #upload [data-fault] .notice")).not_to_have_count(0)
    expect(page.locator("#u-name")).to_have_value("empty")
    expect(page.locator('[data-name="empty"]')).to_have_count(0)


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
