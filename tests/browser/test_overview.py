"""A run at a glance: its numbers, and what is wrong with it in a sentence, on its page and in the list."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.browser.conftest import Attempt


def test_a_loss_spike_is_said_on_the_page_and_in_the_list_until_it_is_over(page: Page, attempt: Attempt) -> None:
    run = attempt("a-run-with-a-spike", num_steps=300)
    run.begin(300)
    run.steps(120, mfu=0.485)
    run.checkpoint()
    page.goto(f"/runs/{run.job_id}")
    wrong = page.locator("#run-conditions")
    expect(page.locator('[data-number="num_tokens"]')).to_contain_text("492k")
    expect(page.locator('[data-number="num_tokens"]')).to_contain_text("of about 1.23M")
    expect(page.locator('[data-number="checkpoint"]')).to_contain_text("step 120")
    expect(page.locator('[data-number="peak_memory_bytes"]')).to_contain_text("1% of 80.0 GiB")
    expect(page.locator('[data-number="tokens_per_s_per_gpu"]')).to_contain_text("MFU 48%")
    expect(wrong).to_be_empty()
    run.steps(2, loss=7.5)
    expect(wrong).to_contain_text("Loss spike: up to 7.500 since step 121")
    page.goto("/runs?q=a-run-with-a-spike")
    expect(page.locator(f'[data-job="{run.job_id}"]')).to_contain_text("Loss spike: up to 7.500")
    page.goto(f"/runs/{run.job_id}")
    expect(wrong).to_contain_text("Loss spike")
    run.steps(10)
    expect(wrong).to_be_empty()
    run.succeed()
