"""Data in the browser: add it, see what would be trained, hear why not, take it back."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import Attempt
from tests.browser.scripted_worker import ScriptedWorker
from tests.support.backend import conversation, write_dataset
from tunedeck.client import Client, sending

OWN_DIGEST_IS_RIGHT = """async () => {
    const page = document.querySelector('script[src*="pages/data.js"]').src;
    const { sha256 } = await import(page.replace('pages/data.js', 'upload/sha256.js'));
    const theirs = async (text) => new Uint8Array(await crypto.subtle.digest('SHA-256', text));
    for (const length of [0, 1, 55, 56, 63, 64, 65, 1000]) {
        const text = Uint8Array.from({ length }, (_, at) => at % 251);
        if (sha256(text).join() !== (await theirs(text)).join()) return false;
    }
    return true;
}"""


def test_a_file_is_looked_into_added_and_shown_token_by_token(page: Page, tmp_path: Path) -> None:
    page.goto("/data")
    file = write_dataset(tmp_path / "my chats.jsonl", num_rows=25)
    file.write_text(file.read_text().replace('"content": "2"', '"content": "2", "weight": 0.5', 1))
    page.set_input_files("#u-file", file)
    expect(page.locator("#found")).to_contain_text("No fault in 25 rows.")
    expect(page.locator("#u-name")).to_have_value("my-chats")
    page.click("#add button.primary")
    page.wait_for_url("**/data/my-chats")
    expect(page.locator("#row-1")).to_contain_text("0+1?")
    expect(page.locator("#row-2")).to_contain_text("assistant · trained, weight 0.5")
    page.locator("#row-2 h3 a").click()
    view = page.locator("#token-view")
    expect(view).to_contain_text("Exactly as the model's chat template writes it")
    trained = view.locator('[data-part="tokens"] .token.trained')
    assert "".join(trained.all_inner_texts()).replace("\n", "") == "2<|im_end|>↵"
    expect(view.locator('[data-part="tokens"] .token.special')).to_have_count(4)
    page.locator(".tokens").focus()
    page.keyboard.press("ArrowRight")
    expect(view.locator('[data-part="detail"]')).to_contain_text("not trained")
    trained.first.hover()
    expect(view.locator('[data-part="detail"]')).to_contain_text('"2"  trained, weight 0.5')
    page.click("#row-next")
    expect(view.locator('[data-part="count"]')).to_contain_text("Row 3")
    assert "row=3" in page.url


def test_an_upload_goes_on_where_it_was_after_a_reload_and_a_broken_connection(
    page_of: Callable[..., Page], client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write_dataset(tmp_path / "half.jsonl", num_rows=200)
    monkeypatch.setattr(sending, "PART_BYTES", 4000)

    def interrupted(sent: int, _: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        client.send_file(file, interrupted)
    page = page_of(may_fail=True)  # Chromium reports the connection that breaks
    offsets: list[str] = []

    def break_the_first(route: Route) -> None:
        if route.request.method != "PATCH":
            route.continue_()
            return
        offsets.append(route.request.headers["upload-offset"])
        if len(offsets) == 1:
            route.abort("connectionreset")
        else:
            route.continue_()

    page.route("**/api/v1/uploads/*", break_the_first)
    page.goto("/data")
    expect(page.locator("#unfinished")).to_contain_text("half.jsonl")
    expect(page.locator("#unfinished")).to_contain_text("choose the same file to go on")
    page.set_input_files("#u-file", file)
    expect(page.locator("#found")).to_contain_text("No fault in 200 rows.")
    assert offsets == ["4000", "4000"]
    assert page.evaluate(OWN_DIGEST_IS_RIGHT)
    page.click("#forget")
    page.locator("#unfinished").get_by_role("button", name="Give up").click()
    expect(page.locator("#unfinished li")).to_have_count(0)


def test_rows_with_faults_are_counted_and_the_policy_decides(page_of: Callable[..., Page], tmp_path: Path) -> None:
    page = page_of(may_fail=True)  # Chromium reports every 422 as an error
    file = tmp_path / "odd.jsonl"
    narrated = {"messages": [{"role": "narrator", "content": "Once."}, {"role": "assistant", "content": "Yes."}]}
    file.write_text("".join(json.dumps(row) + "\n" for row in (conversation(), narrated, conversation("3+3?", "6"))))
    page.goto("/data")
    page.set_input_files("#u-file", file)
    fault = page.locator('[data-fault="unknown_role"]')
    expect(fault).to_contain_text("refuses the file")
    expect(fault).to_contain_text("Row 2")
    page.click("#add button.primary")
    expect(page.locator("#source-fault")).to_contain_text("narrator")
    page.click("#reading-details summary")
    page.select_option("#g-policy-unknown_role", "drop")
    expect(fault).to_contain_text("left out")
    page.fill("#g-roles", "narrator=user")
    page.locator("#g-roles").blur()
    expect(page.locator("#found")).to_contain_text("No fault in 3 rows.")
    page.click("#add button.primary")
    page.wait_for_url("**/data/odd")
    expect(page.locator("#row-2")).to_contain_text("Once.")


def test_what_is_typed_while_a_check_is_under_way_counts(page_of: Callable[..., Page], tmp_path: Path) -> None:
    page = page_of(may_fail=True)  # Chromium reports the 422
    file = tmp_path / "mapped.jsonl"
    turns = [{"who": "client", "says": "2+2?"}, {"who": "bot", "says": "4"}]
    file.write_text(json.dumps({"chat": turns}) + "\n")
    held: list[Route] = []

    def hold_the_second(route: Route) -> None:
        held.append(route)
        if len(held) != 2:
            route.continue_()

    page.route("**/api/v1/datasets/check", hold_the_second)
    page.goto("/data")
    page.set_input_files("#u-file", file)
    expect(page.locator("#source-fault")).to_contain_text("no known shape")
    page.select_option('[data-reading="shape"]', "messages")
    for field, value in (("messages", "chat"), ("role_key", "who"), ("content_key", "says")):
        page.fill(f'[data-reading="columns.{field}"]', value)
    page.fill("#g-roles", "client=user, bot=assistant")
    page.locator("#g-roles").blur()
    expect(page.locator("#found")).to_contain_text("No fault in 1 rows.")
    with page.expect_response("**/api/v1/datasets/check"):
        held[1].continue_()
    page.click("#add button.primary")
    page.wait_for_url("**/data/mapped")
    expect(page.locator("#row-1")).to_contain_text("2+2?")


def test_deleting_names_the_job_in_need_else_it_can_be_taken_back(
    page_of: Callable[..., Page], client: Client, attempt: Attempt, tmp_path: Path
) -> None:
    page = page_of(may_fail=True)  # Chromium reports the 409 as an error
    client.upload_dataset("needed", write_dataset(tmp_path / "needed.jsonl"))  # other tests' jobs live on "chats"
    run = attempt("in-need", num_steps=3, dataset="needed")
    page.goto("/data/needed")
    page.click("#delete")
    expect(page.locator("#page-fault")).to_contain_text(f"in-need ({run.job_id}")
    run.begin(3)
    run.steps(3)
    run.succeed()
    client.upload_dataset("spare", write_dataset(tmp_path / "spare.jsonl"))
    page.goto("/data/spare")
    page.click("#delete")
    page.wait_for_url("**/data")
    page.click("#trash summary")
    page.click('[data-restore="spare"]')
    expect(page.locator('#items [data-name="spare"]')).to_be_visible()


def test_another_reading_becomes_a_version_and_lengths_are_worked_out(
    page: Page, client: Client, worker: ScriptedWorker, tmp_path: Path
) -> None:
    client.upload_dataset("twice", write_dataset(tmp_path / "twice.jsonl", num_rows=64))
    page.goto("/data/twice#reading")
    page.select_option("#g-policy-duplicate", "drop")
    page.click("#check")
    expect(page.locator("#found")).to_contain_text("No fault in 64 rows.")
    page.click("#save")
    page.wait_for_url("**/data/twice?version=2#versions")
    expect(page.locator("#panel-versions tbody tr")).to_have_count(2)
    page.goto("/data/twice#lengths")
    page.click("#length-form button")
    expect(page.locator("#packing")).to_contain_text("63 trained, of 64 in 64 rows")
    expect(page.locator("#histogram")).to_contain_text("total")
    page.goto("/data")
    page.click("#kept-tokens summary")
    kept = page.locator("#kept-tokens li", has_text="twice")
    expect(kept).to_contain_text("tiny, qwen:")
    kept.get_by_role("button").click()
    expect(kept).to_have_count(0)


def test_the_form_shows_what_of_a_sample_is_trained(page: Page, worker: ScriptedWorker) -> None:
    page.goto("/new?dataset=chats")
    page.select_option('[name="model"]', "tiny")
    expect(page.locator("#sample-view [data-part='count']")).to_contain_text("Row 1: ")
    page.click("#sample-next")
    expect(page.locator("#sample-view")).to_contain_text("Row 2: ")
    page.click("#forecast")
    expect(page.locator("#forecast-summary")).to_contain_text("Padding")
