"""Every action over REST: what it does, that the second time does nothing, and what it says where it cannot be."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from backend.db.database import Database
from backend.db.tables.datasets import DatasetRow
from backend.db.tables.jobs import AttemptRow, JobRow
from backend.db.tables.run_files import CheckpointRow
from backend.ingest.endings import end_all
from backend.jobs.actions import act
from backend.jobs.checkpoints import next_start
from backend.scheduler.placement import place_queued, plan_now
from tests.support.backend import SPEC
from tests.support.jobs import add_attempt, add_job, add_running_job, ended_message, timeless
from tunedeck.actions import APPLIES_TO, Cancel, Pause, actions_in
from tunedeck.errors import Conflict
from tunedeck.lifecycle import FINAL, JobState
from tunedeck.retries import RetryPolicy

JOBS = "/api/v1/jobs"
NOW = 1_000_000.0
POLICY = RetryPolicy(3, 0.0, 0.0)
BODIES: dict[str, dict[str, Any]] = {"reprioritise": {"priority": 7}}


def database_of(client: TestClient) -> Database:
    database: Database = client.app.state.services.database  # type: ignore[attr-defined]
    return database


def in_state(client: TestClient, state: JobState, **columns: Any) -> str:
    """A job that has come to `state` by its first attempt, with a checkpoint of step 40."""
    desired = {"pausing": "pause", "stopping": "cancel", "cancelled": "cancel", "paused": "pause"}.get(state, "run")
    with database_of(client).writing() as session:
        job = add_job(session, NOW, **({"state": state.value, "attempt": 1, "desired": desired} | columns))
        is_over = state not in ("placing", "starting", "running", "pausing", "stopping")
        add_attempt(session, job.id, 1, NOW, ended_at=NOW if is_over else None)
        session.add(checkpoint(job.id, 1, 40))
        return job.id


def checkpoint(job_id: str, attempt: int, step: int) -> CheckpointRow:
    path, kind = f"/runs/{job_id}/{attempt}/checkpoints/iter_{step:07d}", "dist_checkpointing"
    return CheckpointRow(
        job_id=job_id, attempt=attempt, path=path, step=step, format=kind, size_bytes=1, created_at=NOW
    )


def post(client: TestClient, job_id: str, action: str, **body: Any) -> dict[str, Any]:
    answer = client.post(f"{JOBS}/{job_id}/{action}", json=BODIES.get(action, {}) | body)
    assert answer.status_code == 200, answer.text
    view: dict[str, Any] = answer.json()
    return view


def refusal(client: TestClient, job_id: str, action: str, **body: Any) -> dict[str, Any]:
    answer = client.post(f"{JOBS}/{job_id}/{action}", json=BODIES.get(action, {}) | body)
    assert answer.status_code in (404, 409), answer.text
    error: dict[str, Any] = answer.json()["error"]
    assert error["mend"]
    return error


def test_an_action_is_done_once_however_often_it_is_asked(client: TestClient) -> None:
    for action, states in APPLIES_TO.items():
        for state in sorted(states - {JobState.DRAFT}):
            job_id = in_state(client, state)
            assert action in client.get(f"{JOBS}/{job_id}").json()["actions"]
            first = post(client, job_id, action)
            assert len(first["transitions"]) == (0 if (action, state) == ("cancel", "stopping") else 1)
            assert {line["who"] for line in first["transitions"]} <= {"first"}, "the name of the token"
            assert timeless(post(client, job_id, action)) == timeless(first), (action, state)


@pytest.mark.any_database
def test_what_cannot_be_done_is_refused_with_what_can(client: TestClient) -> None:
    """Or changes nothing, where the job is already as the action wants it."""
    for action, states in APPLIES_TO.items():
        for state in sorted(set(JobState) - states):
            job_id = in_state(client, state)
            before = timeless(client.get(f"{JOBS}/{job_id}").json())
            answer = client.post(f"{JOBS}/{job_id}/{action}", json=BODIES.get(action, {}))
            assert answer.status_code in (200, 409)
            if answer.status_code == 409:
                assert str(state) in answer.json()["error"]["message"]
                for possible in actions_in(state):
                    assert possible in answer.json()["error"]["mend"]
            assert timeless(client.get(f"{JOBS}/{job_id}").json()) == before, (action, state)


@pytest.mark.any_database
def test_a_pause_that_is_resumed_before_it_is_over_goes_back_to_the_queue(client: TestClient) -> None:
    job_id = in_state(client, JobState.RUNNING)
    assert post(client, job_id, "pause")["state"] == "pausing"
    resumed = post(client, job_id, "resume")
    assert (resumed["state"], resumed["desired"]) == ("pausing", "requeue")
    again = post(client, job_id, "pause")
    assert (again["state"], again["desired"]) == ("pausing", "pause")
    assert [line["from_state"] == line["to_state"] for line in again["transitions"]] == [False, True, True]


@pytest.mark.any_database
def test_a_cancel_may_decline_the_checkpoint_that_the_first_one_asked_for(client: TestClient) -> None:
    job_id = in_state(client, JobState.RUNNING)
    assert post(client, job_id, "cancel")["desired"] == "cancel"
    assert post(client, job_id, "cancel", checkpoint=False)["desired"] == "cancel_now"
    assert post(client, job_id, "cancel")["desired"] == "cancel_now"


def test_a_retry_goes_on_from_the_checkpoint_that_was_chosen_and_only_once(client: TestClient) -> None:
    job_id = in_state(client, JobState.FAILED, fault={"code": "out_of_memory", "message": "full", "mend": ""})
    with database_of(client).writing() as session:
        session.add(checkpoint(job_id, 1, 20))
    assert "steps with a checkpoint: 40, 20" in refusal(client, job_id, "retry", step=30)["mend"]
    view = post(client, job_id, "retry", step=20)
    assert (view["state"], view["fault"], view["ended_at"]) == ("queued", None, None)
    assert view["transitions"][-1]["why"] == "retry was asked for, from the checkpoint of step 20 of attempt 1"
    assert post(client, job_id, "retry", step=20) == view
    refusal(client, job_id, "retry", step=40)
    with database_of(client).writing() as session:
        job = session.get_one(JobRow, job_id)
        start = next_start(session, job)
        assert start is not None
        assert start.step == 20
        # as placement does; the attempt is then lost before it leaves a checkpoint of its own
        job.attempt, job.resume_from = 2, ""
        add_attempt(session, job_id, 2, NOW, resume_from=start.path)
        assert next_start(session, job) is start
        session.add(checkpoint(job_id, 2, 25))
        session.flush()
        own = next_start(session, job)
        assert own is not None
        assert own.step == 25


@pytest.mark.any_database
def test_a_retry_from_the_beginning_forgets_every_checkpoint(client: TestClient) -> None:
    job_id = in_state(client, JobState.CANCELLED)
    post(client, job_id, "retry", step=0)
    with database_of(client).writing() as session:
        job = session.get_one(JobRow, job_id)
        assert next_start(session, job) is None
        job.attempt, job.resume_from = 2, ""
        add_attempt(session, job_id, 2, NOW, resume_from="")
        assert next_start(session, job) is None


@pytest.mark.any_database
def test_a_retry_wants_the_data_set(stocked: TestClient) -> None:
    job_id = stocked.post(JOBS, json=SPEC).json()["id"]
    post(stocked, job_id, "cancel")
    with database_of(stocked).writing() as session:
        session.scalars(select(DatasetRow)).one().trashed_at = NOW
    assert "lies in the trash" in refusal(stocked, job_id, "retry")["message"]


@pytest.mark.any_database
def test_a_draft_is_resolved_again_when_it_is_released(stocked: TestClient) -> None:
    draft = stocked.post(JOBS, json=SPEC, params={"draft": True}).json()
    assert (draft["state"], draft["actions"]) == ("draft", ["cancel", "release", "reprioritise", "archive"])
    with database_of(stocked).writing() as session:
        job = session.get_one(JobRow, draft["id"])
        job.train_iters, job.resolved = 1, {}
    released = post(stocked, draft["id"], "release")
    assert (released["state"], released["train_iters"]) == ("queued", 9)
    assert post(stocked, draft["id"], "release") == released


@pytest.mark.any_database
def test_a_job_of_another_version_stays_paused(client: TestClient) -> None:
    job_id = in_state(client, JobState.PAUSED, resolved={"name": "first"})
    assert "taken by another version" in refusal(client, job_id, "resume")["message"]
    assert client.get(f"{JOBS}/{job_id}").json()["state"] == "paused"


@pytest.mark.any_database
def test_what_the_spec_says_of_the_queue_is_kept_and_the_priority_can_be_changed(stocked: TestClient) -> None:
    spec = SPEC | {"queue": {"priority": 3, "preemptible": False, "max_attempts": 5}}
    job = stocked.post(JOBS, json=spec).json()
    assert (job["priority"], job["owner"]) == (3, "first")
    changed = post(stocked, job["id"], "reprioritise", priority=-2)
    assert (changed["priority"], changed["transitions"][-1]["why"]) == (-2, "priority 3 becomes -2")
    with database_of(stocked).reading() as session:
        row = session.get_one(JobRow, job["id"])
        assert (row.preemptible, row.max_attempts) == (False, 5)


def test_a_request_with_a_key_makes_one_job(stocked: TestClient) -> None:
    key = {"Idempotency-Key": "order-1"}
    first = stocked.post(JOBS, json=SPEC, headers=key)
    assert stocked.post(JOBS, json=SPEC, headers=key).json() == first.json()
    job_id = first.json()["id"]
    clones = [
        stocked.post(f"{JOBS}/{job_id}/clone", json={"name": "second"}, headers={"Idempotency-Key": "clone-1"}).json()
        for _ in range(2)
    ]
    assert clones[0] == clones[1]
    assert clones[0]["transitions"][0]["why"] == f"cloned from {job_id}"
    assert clones[0]["spec"] == SPEC | {"name": "second"}
    assert len(stocked.get(JOBS).json()["items"]) == 2


@pytest.mark.any_database
def test_a_bulk_action_has_a_result_for_each_job(client: TestClient) -> None:
    running, done = in_state(client, JobState.RUNNING), in_state(client, JobState.SUCCEEDED)
    asked = {"jobs": [running, done, "none", running], "action": {"action": "pause"}}
    results = client.post(f"{JOBS}/actions", json=asked).json()["results"]
    assert [(result["job_id"], result["state"]) for result in results] == [
        *((running, "pausing"), (done, None), ("none", None)),
    ]
    assert [result["error"] and result["error"]["code"] for result in results] == [None, "conflict", "not_found"]


def test_an_action_that_races_with_the_end_of_the_job_leaves_one_end(database: Database) -> None:
    """Cancel and pause against the worker's last word, in threads; whoever comes second finds what the first made."""
    for wish in (Cancel(), Pause()):
        for _ in range(5):
            with database.writing() as session:
                job_id = add_running_job(session, NOW).id
            barrier = threading.Barrier(2)
            threads = [
                threading.Thread(target=_asks, args=(database, job_id, wish, barrier)),
                threading.Thread(target=_succeeds, args=(database, job_id, barrier)),
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            with database.reading() as session:
                assert session.get_one(JobRow, job_id).state == "succeeded"
                assert session.get_one(AttemptRow, (job_id, 1)).ended_at == NOW


def _asks(database: Database, job_id: str, wish: Cancel | Pause, barrier: threading.Barrier) -> None:
    barrier.wait()
    try:
        act(database, "first", job_id, wish, NOW)
    except Conflict as refused:
        assert "succeeded" in refused.message


def _succeeds(database: Database, job_id: str, barrier: threading.Barrier) -> None:
    barrier.wait()
    with database.writing() as session:
        job, attempt = session.get_one(JobRow, job_id), session.get_one(AttemptRow, (job_id, 1))
        end_all(session, [(job, attempt, ended_message(job_id, "succeeded").report)], POLICY, NOW)


@pytest.mark.any_database
def test_a_held_job_is_not_placed_and_a_released_one_is(stocked: TestClient) -> None:
    job_id = stocked.post(JOBS, json=SPEC).json()["id"]
    post(stocked, job_id, "hold")
    now = time.time() + 3600  # when the host of the fixture was last seen
    with database_of(stocked).writing() as session:
        assert place_queued(session, plan_now(session, now, 0.0), now, alive_since=0.0, lease_s=15) == []
    post(stocked, job_id, "release")
    with database_of(stocked).writing() as session:
        assert [
            each.message.job_id
            for each in place_queued(session, plan_now(session, now, 0.0), now, alive_since=0.0, lease_s=15)
        ] == [job_id]


def test_every_state_has_an_action_or_has_ended() -> None:
    for state in set(JobState) - FINAL:
        assert actions_in(state)
