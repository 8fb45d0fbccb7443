"""The ways to look at a chart: axes, zoom, marks, far values, the whole page, files."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest
from playwright.sync_api import FloatRect, Locator, Page, expect

from tests.browser.conftest import Attempt
from tests.browser.scripted_worker import ScriptedAttempt, ScriptedWorker
from tests.browser.test_actions import next_attempt
from tests.browser.test_run_page import wait_for_step
from tests.support.waiting import wait_for
from tunedeck.actions import Pause, Resume
from tunedeck.client import Client

LAYOUT = "(chart) => document.querySelector(`#chart-${chart} .plot`).layout"
TRACES = "(chart) => document.querySelector(`#chart-${chart} .plot`).data"

# Between the steps 100 and 200: every step from the first to the last and no other. Before a gap a place stands twice.
HAS_STEPS = """([first, last]) => {
    const places = document.querySelector('#chart-loss .plot').data?.[0].x ?? [];
    const steps = [...new Set(places)].filter((at) => at >= 100 && at <= 200);
    return steps.length === last - first + 1 && steps[0] === first && steps.at(-1) === last;
}"""


@pytest.fixture
def run(attempt: Attempt) -> ScriptedAttempt:
    started = attempt("is-looked-at")
    started.begin(300)
    started.steps(100)
    return started


def test_the_address_restores_the_view(page: Page, run: ScriptedAttempt) -> None:
    page.goto(f"/runs/{run.job_id}?range=20~60&smooth=0.5&log=loss,grad_norm&marks=0")
    page.wait_for_function(f"() => ({TRACES})('grad_norm')")
    for chart in ("loss", "grad_norm"):
        layout = page.evaluate(LAYOUT, chart)
        assert (layout["xaxis"]["range"], layout["yaxis"]["type"]) == ([20, 60], "log")
        assert max(page.evaluate(TRACES, chart)[0]["x"]) <= 61
    expect(page.locator("#marks")).to_have_attribute("aria-pressed", "false")
    page.click("#reset-zoom")
    page.hover("#chart-loss")
    page.click("#chart-loss [data-tool=log]")
    page.click("#marks")
    expect(page).to_have_url(f"/runs/{run.job_id}?smooth=0.5&log=grad_norm")
    page.select_option("#x-axis", "tokens")
    page.wait_for_function(f"() => ({LAYOUT})('loss').xaxis.range[1] === 100 * 4096")
    expect(page).to_have_url(re.compile(r"[?&]x=tokens\b"))


def test_a_zoom_on_one_chart_is_a_zoom_on_all_and_stays_when_the_axis_changes(page: Page, run: ScriptedAttempt) -> None:
    page.goto(f"/runs/{run.job_id}?x=relative")
    wait_for_points(page)
    area = box_of(page.locator("#chart-loss .nsewdrag"))
    y = area["y"] + area["height"] / 2
    page.mouse.move(area["x"] + area["width"] * 0.25, y)
    page.mouse.down()
    page.mouse.move(area["x"] + area["width"] * 0.75, y, steps=5)
    page.mouse.up()
    page.wait_for_url("**range=*")
    page.select_option("#x-axis", "step")
    page.wait_for_function(f"() => ({LAYOUT})('loss').xaxis.tickformat === ',d'")
    first, last = (float(step) for step in page.url.split("range=")[1].split("~"))
    assert 0 < first < last < 100
    for chart in ("loss", "grad_norm"):
        page.wait_for_function(f"() => ({LAYOUT})('{chart}').xaxis.tickformat === ',d'")
        assert page.evaluate(LAYOUT, chart)["xaxis"]["range"] == pytest.approx([first, last], abs=0.01)


def box_of(locator: Locator) -> FloatRect:
    """Of a part that may be drawn anew between being found and being measured."""
    while not (box := locator.bounding_box()):
        expect(locator).to_be_visible()
    return box


def wait_for_points(page: Page) -> None:
    page.wait_for_function(f"() => ({TRACES})('loss')?.[0].x.length >= 100")


def test_checkpoints_and_evaluations_are_marked(page: Page, run: ScriptedAttempt) -> None:
    run.validate()
    run.checkpoint()
    page.goto(f"/runs/{run.job_id}")
    wait_for_step(page, 100)
    page.wait_for_function(f"() => ({TRACES})('loss')?.some(({{ name }}) => name === 'checkpoint')")
    (marks,) = [trace for trace in page.evaluate(TRACES, "loss") if trace["name"] == "checkpoint"]
    assert (marks["x"], marks["text"]) == ([100], ["checkpoint of step 100"])
    (marks,) = [trace for trace in page.evaluate(TRACES, "loss") if trace["name"] == "evaluation"]
    assert (marks["x"][-1], marks["text"][-1]) == (100, "step 100: validation loss 0.8922")
    run.steps(10)
    run.checkpoint()
    page.wait_for_function(f"() => ({TRACES})('loss')?.find(({{ name }}) => name === 'checkpoint')?.x.length === 2")


def test_a_chart_fills_the_page_and_goes_back_with_escape(page: Page, run: ScriptedAttempt) -> None:
    page.goto(f"/runs/{run.job_id}?chart=grad_norm")
    expect(page.locator("#expanded-chart #chart-grad_norm")).to_be_visible()
    page.wait_for_function("() => document.querySelector('#chart-grad_norm .plot').clientHeight > 600")
    page.keyboard.press("Escape")
    expect(page.locator("#charts #chart-grad_norm")).to_be_visible()
    expect(page).not_to_have_url(re.compile("chart="))


def test_a_chart_is_had_as_picture_and_as_table(page: Page, run: ScriptedAttempt, tmp_path: Path) -> None:
    page.goto(f"/runs/{run.job_id}")
    wait_for_step(page, 100)
    beginnings = {"png": b"\x89PNG", "svg": b"<svg", "csv": b"step,time,loss"}
    for tool, beginning in beginnings.items():
        page.hover("#chart-loss")
        page.click("#chart-loss summary")
        with page.expect_download() as download:
            page.click(f"#chart-loss [data-tool={tool}]")
        download.value.save_as(tmp_path / tool)
        assert (tmp_path / tool).read_bytes().startswith(beginning)
    with (tmp_path / "csv").open() as table:
        rows = list(csv.DictReader(table))
    assert [int(row["step"]) for row in rows] == list(range(101))
    assert float(rows[0]["validation_loss"]) > 2


def test_the_detail_of_a_zoom_is_fetched_anew_when_an_attempt_goes_back_behind_it(
    page: Page, attempt: Attempt, worker: ScriptedWorker, client: Client
) -> None:
    first = attempt("goes-back-while-zoomed", num_steps=3_000)
    first.begin(3_000)
    first.steps(2_000)
    page.goto(f"/runs/{first.job_id}?range=100~200&marks=0")
    page.wait_for_function(HAS_STEPS, arg=[100, 200])
    client.act(first.job_id, Pause())
    first.stopped()
    wait_for(lambda: client.job(first.job_id).state == "paused", "the pause")
    client.act(first.job_id, Resume())
    again = next_attempt(worker, client, first)
    again.begin(3_000, first_step=151)
    again.steps(20)
    page.wait_for_function(HAS_STEPS, arg=[100, 170])
