"""The tab of files that a run left for other tools, and charts of what only some machines can tell."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page, expect

from tests.browser.conftest import Attempt
from tests.browser.service import BusAndBackend
from tunedeck.run_folder import RunFolder


def test_artifacts_are_listed_with_size_and_come_when_clicked(
    page: Page, attempt: Attempt, service: BusAndBackend, tmp_path: Path
) -> None:
    run = attempt("leaves", num_steps=10)
    run.begin(10)
    page.goto(f"/runs/{run.job_id}#artifacts")
    expect(page.locator("#no-artifacts")).to_contain_text("No artifacts")
    trace = RunFolder.of(service.settings.data_dir, run.job_id, 1).profile / "rank0-steps-4-5.pt.trace.json.gz"
    trace.parent.mkdir(parents=True)
    trace.write_bytes(b"t" * 2048)
    page.click("#tab-charts")
    page.click("#tab-artifacts")
    row = page.locator("#artifacts tr")
    expect(row).to_contain_text("Profile")
    expect(row).to_contain_text("2.00 KiB")
    with page.expect_download() as download:
        row.locator("a").click()
    download.value.save_as(tmp_path / "trace")
    assert (tmp_path / "trace").read_bytes() == b"t" * 2048
    assert download.value.suggested_filename == trace.name


def test_charts_of_a_gpu_appear_with_its_first_numbers_and_fp8_stays_hidden(page: Page, attempt: Attempt) -> None:
    run = attempt("gpu", num_steps=10)
    run.begin(10)
    page.goto(f"/runs/{run.job_id}")
    expect(page.locator("#chart-loss")).to_be_visible()
    expect(page.locator("#chart-mfu")).to_be_hidden()
    run.steps(2)
    expect(page.locator("#chart-mfu")).to_be_visible()
    expect(page.get_by_role("heading", name="GPUs")).to_be_visible()
    expect(page.locator("#chart-fp8_amax")).to_be_hidden()
    expect(page.get_by_role("heading", name="FP8 scales")).to_be_hidden()
