"""Changing a job's state leaves the state, a line of history and an event, or nothing at all."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from backend.db.database import Database
from backend.db.many_rows import insert_together
from backend.db.tables.events import EventRow
from backend.db.tables.jobs import JobRow, TransitionRow
from backend.jobs.creation import Creation, rows_of
from backend.jobs.transitions import transition
from tunedeck.errors import IllegalTransition
from tunedeck.ids import new_id
from tunedeck.lifecycle import JobState
from tunedeck.spec import JobSpec


def _add_job(session: Session) -> JobRow:
    columns: dict[str, Any] = {
        "id": new_id(),
        "name": "a",
        "state": "queued",
        "model": "m",
        "dataset": "d",
        "resolved": {},
        "train_iters": 3,
    }
    creation = Creation(columns, JobSpec(name="a", model="m", dataset="d"), "test", "submitted", 1.0)
    insert_together(session, rows_of([creation]))
    return session.get_one(JobRow, columns["id"])


def test_each_change_is_one_line_of_history_and_one_event(database: Database) -> None:
    with database.writing() as session:
        job = _add_job(session)
        transition(session, job, JobState.PLACING, "scheduler", "box has room", 2.0)
        transition(session, job, JobState.FAILED, "scheduler", "it broke", 3.0)
    with database.reading() as session:
        history = [(row.from_state, row.to_state, row.why) for row in session.scalars(select(TransitionRow))]
        events = [
            row.payload["state"]
            for row in session.scalars(select(EventRow).where(EventRow.kind == "job").order_by(EventRow.id))
        ]
        stored = session.scalars(select(JobRow)).one()
    assert history == [
        ("", "queued", "submitted"),
        ("queued", "placing", "box has room"),
        ("placing", "failed", "it broke"),
    ]
    assert events == ["queued", "placing", "failed"]
    assert (stored.state, stored.ended_at) == ("failed", 3.0)


def test_an_illegal_change_changes_nothing(database: Database) -> None:
    with database.writing() as session:
        job = _add_job(session)
        with pytest.raises(IllegalTransition, match="queued job cannot become running"):
            transition(session, job, JobState.RUNNING, "test", "", 2.0)
    with database.reading() as session:
        assert session.scalars(select(JobRow.state)).all() == ["queued"]
        assert len(session.scalars(select(TransitionRow)).all()) == 1


def test_a_retry_keeps_the_first_start_and_forgets_the_phase(database: Database) -> None:
    with database.writing() as session:
        job = _add_job(session)
        transition(session, job, JobState.PLACING, "test", "", 2.0)
        transition(session, job, JobState.STARTING, "test", "", 3.0)
        job.phase = "loading"
        transition(session, job, JobState.QUEUED, "test", "the host was lost", 4.0)
        transition(session, job, JobState.PLACING, "test", "", 5.0)
        transition(session, job, JobState.STARTING, "test", "", 6.0)
        assert (job.phase, job.started_at, job.ended_at) == ("", 3.0, None)
