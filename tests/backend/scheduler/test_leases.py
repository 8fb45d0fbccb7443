"""What silence means for a job."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from backend.db.database import Database
from backend.db.tables import AttemptRow, JobRow, TransitionRow
from backend.scheduler.leases import expire
from backend.scheduler.placement import place_queued
from tests.support.jobs import add_host, add_running_job

NOW = 1_000_000.0


def test_a_silent_attempt_ends_and_the_job_is_tried_again_under_a_new_number(database: Database) -> None:
    with database.writing() as session:
        add_host(session, NOW + 61)
        job = add_running_job(session, NOW, lease_s=60, device="cuda")
        assert expire(session, NOW + 59, max_attempts=3) == []
        assert expire(session, NOW + 61, max_attempts=3) == [(job.id, 1)]
        assert job.state == "queued"
        [dispatch] = place_queued(session, NOW + 61, alive_since=NOW, lease_s=15)
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
        job = add_running_job(session, NOW, lease_s=10)
        job.state, job.desired = state, "cancel"
        expire(session, NOW + 11, max_attempts=3)
        assert session.get_one(JobRow, job.id).state == "cancelled"
