"""The new-run form: what it sends, where it shows faults, what it keeps."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.browser.conftest import Attempt
from tests.browser.scripted_worker import ScriptedAttempt, ScriptedWorker
from tests.browser.service import BusAndBackend
from tests.support.backend import write_model
from tunedeck.client import Client


def spec_shown(page: Page) -> dict[str, object]:
    shown = json.loads(page.locator("#spec-text").inner_text())
    assert isinstance(shown, dict)
    return shown


def choose_model_and_data(page: Page) -> None:
    page.goto("/new")
    page.select_option('[name="model"]', "tiny")
    page.select_option('[name="dataset"]', "chats")


def test_a_run_is_started_from_the_form_and_its_page_is_live(
    page: Page, worker: ScriptedWorker, client: Client
) -> None:
    choose_model_and_data(page)
    expect(page.locator("#verdict")).to_have_text("Still needed: a name.")
    page.fill('[name="name"]', "from-the-form")
    page.select_option("#f-length-unit", "batching.train_iters")
    page.fill("#f-length", "40")
    page.fill('[name="batching.global_batch_size"]', "4")
    expect(page.locator("#verdict")).to_have_text("Ready to start")
    expect(page.locator("#summary")).to_contain_text("40 of 4 conversations")
    asked = {"name": "from-the-form", "model": "tiny", "dataset": "chats"}
    assert spec_shown(page) == {**asked, "batching": {"train_iters": 40, "global_batch_size": 4}}
    page.click("#submit")
    page.wait_for_url("**/runs/*")
    run = ScriptedAttempt(worker, client, page.url.rsplit("/", 1)[-1])
    run.begin(40)
    run.steps(40)
    run.succeed()
    expect(page.locator("#run-state")).to_contain_text("succeeded")
    expect(page.locator('[data-number="loss"] [data-cell="value"]')).not_to_have_text("–")


def test_a_fault_is_shown_at_its_field_and_what_was_typed_is_kept(page_of: Callable[..., Page]) -> None:
    page = page_of(may_fail=True)  # Chromium reports every 422 as an error
    choose_model_and_data(page)
    page.fill('[name="name"]', "cannot-run")
    page.click("#all-fields summary")
    page.fill('[name="parallelism.tensor_model_parallel_size"]', "3")
    fault = page.locator('[data-field="parallelism.tensor_model_parallel_size"] .fault')
    expect(fault).to_contain_text("3")
    expect(page.locator("#verdict")).to_contain_text("to mend")
    page.click("#submit")
    expect(page.locator("#submit-note")).to_have_text("Nothing was started.")
    expect(page.locator('[name="parallelism.tensor_model_parallel_size"]')).to_have_value("3")
    expect(page.locator('[name="parallelism.tensor_model_parallel_size"]')).to_have_attribute("aria-invalid", "true")
    page.fill('[name="optimizer.lr"]', "fast")
    expect(page.locator('[data-field="optimizer.lr"] .fault')).to_be_visible()
    expect(page.locator('[name="optimizer.lr"]')).to_have_value("fast")


def test_the_form_says_whether_it_fits_and_which_microbatch_would(
    page: Page, service: BusAndBackend, client: Client, worker: ScriptedWorker
) -> None:
    shape = {"hidden_size": 2048, "intermediate_size": 6144, "num_hidden_layers": 28, "vocab_size": 151_936}
    client.add_model("as-large-as-1.7b", write_model(service.settings.models_dir / "large", **shape))
    choose_model_and_data(page)
    page.select_option('[name="model"]', "as-large-as-1.7b")
    fit = page.locator("#fit")
    expect(fit).to_have_attribute("data-verdict", "fits")
    page.fill('[name="batching.max_tokens_per_gpu"]', "400000")
    expect(fit).to_have_attribute("data-verdict", "does_not_fit")
    advice = re.search(r"up to ([\d,]+) tokens would fit", fit.inner_text())
    assert advice is not None
    page.fill('[name="batching.max_tokens_per_gpu"]', advice[1].replace(",", ""))
    expect(fit).to_have_attribute("data-verdict", "fits")


def test_without_a_name_nothing_is_sent_and_the_field_is_focused(page: Page) -> None:
    page.goto("/new")
    page.click("#submit")
    expect(page.locator('[name="name"]')).to_be_focused()
    expect(page.locator('[data-field="name"] .fault')).to_have_text("The run needs a name.")
    expect(page).to_have_url("/new")


def test_a_preset_shows_its_values_in_the_empty_fields_and_sends_only_its_name(page: Page) -> None:
    choose_model_and_data(page)
    page.select_option('[name="preset"]', "quick-look")
    expect(page.locator('[name="optimizer.lr"]')).to_have_attribute("placeholder", "0.00002 (preset)")
    assert spec_shown(page) == {"model": "tiny", "dataset": "chats", "preset": "quick-look"}


def test_what_a_preset_sets_can_be_taken_back_and_every_field_be_found(page: Page, worker: ScriptedWorker) -> None:
    choose_model_and_data(page)
    page.select_option('[name="preset"]', "qwen3-4b-openhermes-fp8")
    page.click("#all-fields summary")
    page.fill("#find-field", "activation fp8")
    expect(page.locator("#find-field-note")).to_have_text("One field")
    page.fill("#find-field", "fp8_format")  # it and its recipe, which names it
    expect(page.locator("#find-field-note")).to_have_text("2 fields")
    expect(page.locator('[data-field="optimizer.min_lr"]')).to_be_hidden()
    fp8_format = page.locator('[name="precision.fp8_format"]')
    expect(fp8_format.locator("option").first).to_have_text("Preset: e4m3")
    fp8_format.select_option("none")
    assert spec_shown(page)["precision"] == {"fp8_format": None}
    page.fill("#find-field", "profile")
    expect(page.locator("#find-field-note")).to_have_text("2 fields")
    page.fill('[name="tracking.profile_step_start"]', "none")
    assert spec_shown(page)["tracking"] == {"profile_step_start": None}
    # A problem leads to its field, also while something else is looked for.
    page.locator("#problems button", has_text="parallelism.tensor_model_parallel_size").first.click()
    expect(page.locator('[name="parallelism.tensor_model_parallel_size"]')).to_be_focused()


def test_every_field_of_a_spec_has_an_input(page: Page) -> None:
    from tunedeck.spec import JobSpec

    page.goto("/new")
    inputs = set(page.locator("[name][data-kind]").evaluate_all("all => all.map((input) => input.name)"))
    paths = set()
    for name, field in JobSpec.model_fields.items():
        parts = getattr(field.annotation, "model_fields", None)
        paths |= {f"{name}.{part}" for part in parts} if parts else {name}
    # One input for both: its name follows the unit that is chosen beside it.
    assert inputs | {"batching.train_iters"} == paths


def test_a_clone_begins_with_the_values_of_its_run(page: Page, attempt: Attempt) -> None:
    run = attempt("to-be-cloned", num_steps=77)
    page.goto(f"/runs/{run.job_id}")
    page.get_by_role("link", name="Clone", exact=True).click()
    page.wait_for_url("/new?from=*")
    expect(page.locator('[name="name"]')).to_have_value("to-be-cloned")
    expect(page.locator('[name="batching.train_iters"]')).to_have_value("77")
    assert spec_shown(page)["batching"] == {"train_iters": 77, "global_batch_size": 4}
