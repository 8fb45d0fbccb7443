"""Pause, resume, retry, hold and the like, from the run page and for many runs from the list."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.browser.conftest import Attempt
from tests.browser.scripted_worker import ScriptedAttempt, ScriptedWorker
from tests.support.waiting import wait_for
from tunedeck.client import Client


def next_attempt(worker: ScriptedWorker, client: Client, run: ScriptedAttempt) -> ScriptedAttempt:
    wait_for(lambda: client.job(run.job_id).attempt > run.number, "the next attempt", 30)
    return ScriptedAttempt(worker, client, run.job_id)


def test_a_pause_frees_the_devices_and_a_resume_goes_on_with_the_curve(
    page: Page, attempt: Attempt, worker: ScriptedWorker, client: Client
) -> None:
    run = attempt("is-paused")
    run.begin(300)
    run.steps(20)
    page.goto(f"/runs/{run.job_id}")
    page.click('[data-action="pause"]')
    expect(page.locator("#run-state")).to_contain_text("pausing")
    run.checkpoint()
    run.stopped()
    expect(page.locator("#run-state")).to_contain_text("paused")
    expect(page.locator("#run-progress")).to_contain_text("20 / 300 steps · its devices are free")
    page.click('[data-action="resume"]')
    again = next_attempt(worker, client, run)
    again.begin(300, first_step=21)
    again.steps(5)
    expect(page.locator("#run-state")).to_contain_text("running")
    expect(page.locator("#run-progress")).to_contain_text("25 / 300 steps")
    page.click("#tab-timeline")
    until_it_paused = ("queued", "placing", "starting", "running", "pausing", "paused")
    states = [*until_it_paused, "queued", "placing", "starting", "running"]
    expect(page.locator("#timeline .state")).to_have_text(states)
    expect(page.locator("#timeline")).to_contain_text("from the checkpoint of step 20")
    expect(page.locator("#timeline li").nth(4)).to_contain_text("first")
    again.succeed()
    expect(page.locator("#run-state")).to_contain_text("succeeded")


def test_a_failed_run_is_tried_again_from_the_checkpoint_that_is_chosen(
    page: Page, attempt: Attempt, worker: ScriptedWorker, client: Client
) -> None:
    run = attempt("is-retried")
    run.begin(300)
    for _ in range(2):
        run.steps(10)
        run.checkpoint()
    page.goto(f"/runs/{run.job_id}")
    run.fail("loss_not_finite", "the loss of step 21 is nan", "lower optimizer.lr", ())
    expect(page.locator("#run-fault")).to_contain_text("the loss of step 21 is nan")
    page.click('[data-action="retry"]')
    expect(page.locator("#retry-from option")).to_have_count(4)
    page.select_option("#retry-from", label=page.locator("#retry-from option").nth(2).inner_text())
    page.click("#retry-now")
    expect(page.locator("#retry-dialog")).to_be_hidden()
    expect(page.locator("#run-fault")).to_be_empty()
    again = next_attempt(worker, client, run)
    page.click("#tab-timeline")
    expect(page.locator("#timeline")).to_contain_text("from the checkpoint of step 10 of attempt 1")
    again.begin(300, first_step=11)
    again.steps(1)
    expect(page.locator("#run-progress")).to_contain_text("11 / 300 steps")
    page.click('[data-action="reprioritise"]')
    page.fill("#priority", "12")
    page.click("#reprioritise-now")
    expect(page.locator("#timeline .wish")).to_contain_text("priority 0 becomes 12")
    again.succeed()


def test_many_runs_are_held_and_cancelled_at_once(page: Page, attempt: Attempt, client: Client) -> None:
    running = attempt("bulk-running")
    running.begin(300)
    running.steps(3)
    spec = {"name": "bulk-draft", "model": "tiny", "dataset": "chats", "batching": {"global_batch_size": 4}}
    draft = client.submit(spec, draft=True).id
    page.goto("/runs?q=bulk-")
    expect(page.locator("#runs tr")).to_have_count(2)
    page.check("#select-all")
    expect(page.locator("#bulk-count")).to_have_text("2 selected")
    expect(page.locator('[data-bulk="pause"]')).to_contain_text("1")
    expect(page.locator('[data-bulk="hold"]')).to_be_disabled()
    page.click('[data-bulk="cancel"]')
    expect(page.locator("#bulk-cancel-title")).to_have_text("Cancel 2 runs?")
    page.click("#bulk-cancel-now")
    expect(page.locator("#bulk-note")).to_have_text("2 runs cancelled")
    expect(page.locator(f'[data-job="{draft}"]')).to_contain_text("cancelled")
    expect(page.locator(f'[data-job="{running.job_id}"]')).to_contain_text("stopping")
    expect(page.locator("#bulk")).to_be_hidden()
    running.stopped()
    expect(page.locator(f'[data-job="{running.job_id}"]')).to_contain_text("cancelled")


def test_what_was_refused_stays_selected_and_says_why(page: Page, worker: ScriptedWorker, client: Client) -> None:
    spec = {"name": "refused", "model": "tiny", "dataset": "chats", "batching": {"global_batch_size": 4}}
    job_id = client.submit(spec, draft=True).id
    page.goto("/runs?q=refused")
    # Between the click and the call somebody else cancels the job.
    page.route("**/api/v1/jobs/actions", lambda route: (client.cancel(job_id), route.continue_())[-1])
    page.check(f'[data-job="{job_id}"] [data-cell="select"]')
    page.click('[data-bulk="release"]')
    expect(page.locator("#bulk-fault")).to_contain_text("refused is cancelled: release does not apply to it")
    expect(page.locator("#bulk-count")).to_have_text("1 selected")
