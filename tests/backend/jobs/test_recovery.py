"""What becomes of a job whose attempt has ended: by reason, by wish, and by how often it has failed in a row."""

from __future__ import annotations

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from backend.db.database import Database
from backend.db.tables.jobs import AttemptRow, JobRow, TransitionRow
from backend.db.tables.run_files import CheckpointRow
from backend.jobs.due import is_due
from backend.jobs.pausing import preempt
from backend.jobs.recovery import attempt_failed, attempt_lost, attempt_stopped
from backend.jobs.transitions import transition
from backend.scheduler.rooms import waiting_jobs
from tests.support.jobs import add_attempt, add_running_job
from tunedeck.errors import by_code
from tunedeck.lifecycle import JobState
from tunedeck.retries import RETRIED, RetryPolicy
from tunedeck.views.jobs import JobFault

pytestmark = pytest.mark.any_database
NOW = 1_000_000.0
POLICY = RetryPolicy(max_attempts=3, first_delay_s=2.0, longest_delay_s=5.0)


def fault(code: str) -> JobFault:
    return JobFault(code=code, message="it broke", mend="mend it")


def checkpoint(job: JobRow, attempt: int, step: int) -> CheckpointRow:
    path, kind = f"/runs/{job.id}/{attempt}/checkpoints/iter_{step:07d}", "dist_checkpointing"
    return CheckpointRow(
        job_id=job.id, attempt=attempt, path=path, step=step, format=kind, size_bytes=1, created_at=NOW
    )


def runs_again(session: Session, job: JobRow) -> AttemptRow:
    """The next attempt, as far as its first step."""
    job.attempt += 1
    for state in (JobState.PLACING, JobState.STARTING, JobState.RUNNING):
        transition(session, job, state, "test", "", NOW)
    return add_attempt(session, job.id, job.attempt, NOW)


def only_attempt(session: Session, job: JobRow) -> AttemptRow:
    return session.get_one(AttemptRow, (job.id, 1))


def due(session: Session, now: float) -> list[str]:
    return list(session.scalars(select(JobRow.id).where(is_due(now))))


def last_why(session: Session, job: JobRow) -> str:
    lines = select(TransitionRow).where(TransitionRow.job_id == job.id).order_by(TransitionRow.id.desc())
    return session.scalars(lines.limit(1)).one().why


def test_only_reasons_that_can_pass_by_themselves_are_tried_again(database: Database) -> None:
    may_pass = {"host_lost", "fenced", "rank_lost", "rank_hung", "collective_failed"}
    assert may_pass == RETRIED
    with database.writing() as session:
        for code in by_code():
            job = add_running_job(session, NOW)
            attempt_failed(session, job, only_attempt(session, job), fault(code), POLICY, "worker", NOW)
            assert job.state == ("queued" if code in may_pass else "failed"), code
            assert (job.fault is None) == (code in may_pass)
            assert only_attempt(session, job).ended_at == NOW


def test_each_failure_in_a_row_waits_twice_as_long_and_the_last_one_fails_the_job(database: Database) -> None:
    with database.writing() as session:
        job = add_running_job(session, NOW)
        attempt_failed(session, job, only_attempt(session, job), fault("rank_lost"), POLICY, "worker", NOW)
        assert (job.not_before, job.num_failures) == (NOW + 2, 1)
        assert last_why(session, job) == (
            "it broke; tried again in 2 s, failure 1 of at most 2 without a new checkpoint"
        )
        assert waiting_jobs(session, NOW + 1.9) == []
        assert [each.job_id for each in waiting_jobs(session, NOW + 2)] == [job.id]
        attempt_failed(session, job, runs_again(session, job), fault("rank_lost"), POLICY, "worker", NOW)
        assert job.not_before == NOW + 4
        attempt_failed(session, job, runs_again(session, job), fault("rank_lost"), POLICY, "worker", NOW)
        assert job.state == "failed"
        assert job.fault is not None
        assert (job.fault["code"], job.fault["mend"]) == ("rank_lost", "mend it")
        assert "attempt 3 was the last one" in job.fault["message"]
    assert [POLICY.delay_s(number) for number in (0, 1, 2, 3, 500)] == [2, 2, 4, 5, 5]


def test_a_job_may_say_how_often_it_is_tried(database: Database) -> None:
    with database.writing() as session:
        job = add_running_job(session, NOW, max_attempts=1)
        attempt_lost(session, job, only_attempt(session, job), "box fell silent", POLICY, "scheduler", NOW)
        assert job.state == "failed"


def test_attempts_that_left_a_checkpoint_do_not_use_up_the_tries(database: Database) -> None:
    """As restarts of the service do, which end each attempt with a last checkpoint."""
    policy = RetryPolicy(2, 0.0, 0.0)
    with database.writing() as session:
        job = add_running_job(session, NOW)
        attempt = only_attempt(session, job)
        for number in range(1, 6):
            session.add(checkpoint(job, number, step=10 * number))
            attempt_lost(session, job, attempt, "the worker was told to end", policy, "worker", NOW)
            assert job.state == "queued"
            attempt = runs_again(session, job)
        attempt_lost(session, job, attempt, "it fell silent", policy, "worker", NOW)
        assert job.state == "queued"
        attempt_lost(session, job, runs_again(session, job), "it fell silent", policy, "worker", NOW)
        assert job.state == "failed"


@pytest.mark.parametrize(
    ("state", "desired", "becomes"),
    [
        ("pausing", "pause", "paused"),
        ("pausing", "requeue", "queued"),
        ("stopping", "cancel", "cancelled"),
        ("stopping", "cancel_now", "cancelled"),
        ("running", "run", "cancelled"),
    ],
)
def test_an_attempt_that_stopped_as_asked_brings_what_was_asked_for(
    database: Database, state: str, desired: str, becomes: str
) -> None:
    with database.writing() as session:
        job = add_running_job(session, NOW, state=state, desired=desired)
        attempt_stopped(session, job, only_attempt(session, job), "worker", "the engine stopped as asked", NOW)
        assert (job.state, job.phase) == (becomes, "")


@pytest.mark.parametrize(("desired", "becomes"), [("pause", "paused"), ("requeue", "queued"), ("cancel", "cancelled")])
def test_a_wish_outlives_the_host_of_its_attempt(database: Database, desired: str, becomes: str) -> None:
    state = "stopping" if desired == "cancel" else "pausing"
    with database.writing() as session:
        job = add_running_job(session, NOW, state=state, desired=desired)
        attempt_lost(session, job, only_attempt(session, job), "box fell silent", POLICY, "scheduler", NOW)
        assert (job.state, job.num_failures) == (becomes, 0)


def test_a_pause_does_not_hide_a_fault_of_the_job_itself(database: Database) -> None:
    with database.writing() as session:
        job = add_running_job(session, NOW, state="pausing", desired="pause")
        attempt_failed(session, job, only_attempt(session, job), fault("disk_full"), POLICY, "worker", NOW)
        assert job.state == "failed"


def test_a_preempted_job_goes_back_to_the_queue_by_itself_and_wants_to_run(database: Database) -> None:
    with database.writing() as session:
        job = add_running_job(session, NOW)
        preempt(session, job, "job urgent has priority 10", NOW)
        preempt(session, job, "job urgent has priority 10", NOW)
        assert (job.state, job.desired) == ("pausing", "requeue")
        attempt_stopped(session, job, only_attempt(session, job), "worker", "the engine stopped as asked", NOW)
        assert (job.state, job.desired, job.num_failures) == ("queued", "run", 0)
        preempt(session, job, "it holds nothing", NOW)
        assert job.state == "queued"


def test_a_job_of_another_version_fails_instead_of_going_back_to_the_queue(database: Database) -> None:
    with database.writing() as session:
        job = add_running_job(session, NOW)
        job.resolved = {"name": "first"}
        attempt_lost(session, job, only_attempt(session, job), "box fell silent", POLICY, "scheduler", NOW)
        assert job.state == "failed"
        assert job.fault is not None
        assert "taken by another version" in job.fault["message"]


def test_a_next_try_of_before_the_clock_was_set_back_does_not_keep_a_job_waiting(database: Database) -> None:
    with database.writing() as session:
        job = add_running_job(session, NOW)
        attempt_failed(session, job, only_attempt(session, job), fault("rank_lost"), POLICY, "worker", NOW)
        assert due(session, NOW - 10) == []
        assert due(session, NOW - 3600) == [job.id]
