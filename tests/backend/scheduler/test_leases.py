"""What silence means for a job."""

from __future__ import annotations

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from backend.db.database import Database
from backend.db.tables.jobs import AttemptRow, JobRow, TransitionRow
from backend.scheduler import leases
from backend.scheduler.placement import place_queued, plan_now
from tests.support.jobs import add_host, add_running_job
from tunedeck.retries import RetryPolicy

NOW = 1_000_000.0
LEASE_S = 60.0


def expire(
    session: Session, now: float, heard_until: float | None = None, max_attempts: int = 3
) -> list[tuple[str, int]]:
    """By a scheduler whose ingest has stored everything up to `now`, unless it says otherwise."""
    return leases.expire(
        session, now, now if heard_until is None else heard_until, LEASE_S, RetryPolicy(max_attempts, 0.0, 0.0)
    )


def test_a_silent_attempt_ends_and_the_job_is_tried_again_under_a_new_number(database: Database) -> None:
    with database.writing() as session:
        add_host(session, NOW + 61)
        job = add_running_job(session, NOW, lease_s=60, device="cuda")
        assert expire(session, NOW + 59) == []
        assert expire(session, NOW + 61) == [(job.id, 1)]
        assert job.state == "queued"
        [dispatch] = place_queued(session, plan_now(session, NOW + 61, NOW), NOW + 61, alive_since=NOW, lease_s=15)
        assert dispatch.message.attempt == 2
        assert session.get_one(AttemptRow, (job.id, 1)).ended_at == NOW + 61
        told = session.scalars(select(TransitionRow.to_state).order_by(TransitionRow.id)).all()
    assert told == ["queued", "placing"]


def test_the_last_allowed_attempt_fails_the_job_and_says_whose_fault_it_was(database: Database) -> None:
    with database.writing() as session:
        job = add_running_job(session, NOW, lease_s=10)
        expire(session, NOW + 11, max_attempts=1)
        assert (job.state, job.ended_at) == ("failed", NOW + 11)
        assert job.fault is not None
        assert job.fault["code"] == "host_lost"
        assert "box gave no sign of life" in job.fault["message"]


@pytest.mark.parametrize("state", ["placing", "starting", "running", "stopping"])
def test_a_cancelled_job_whose_worker_is_gone_is_cancelled_not_tried_again(database: Database, state: str) -> None:
    with database.writing() as session:
        job = add_running_job(session, NOW, lease_s=10, state=state, desired="cancel")
        expire(session, NOW + 11)
        assert session.get_one(JobRow, job.id).state == "cancelled"


def test_a_lease_is_judged_by_what_has_been_heard_and_not_by_the_time_that_has_passed(database: Database) -> None:
    with database.writing() as session:
        job = add_running_job(session, NOW, lease_s=10)
        assert expire(session, NOW + 3600, heard_until=NOW + 9) == []
        assert expire(session, NOW + 3600, heard_until=NOW + 11) == [(job.id, 1)]


def test_a_lease_that_was_given_before_the_clock_was_set_back_does_not_last_for_an_hour(database: Database) -> None:
    with database.writing() as session:
        alive, lost = (add_running_job(session, now, lease_s=LEASE_S) for now in (NOW, NOW + 3600))
        assert expire(session, NOW) == [(lost.id, 1)]
        assert (alive.state, lost.state) == ("running", "queued")
