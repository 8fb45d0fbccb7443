"""The database itself refuses what the lifecycle does not allow, whoever writes it."""

from __future__ import annotations

import pytest
from sqlalchemy import select, text, update

from backend.db.database import Database
from backend.db.tables.jobs import AllowedTransitionRow, JobRow
from tests.support.jobs import add_job
from tunedeck.errors import IllegalTransition
from tunedeck.lifecycle import NEXT, JobState


def test_the_database_holds_the_table_of_the_lifecycle(database: Database) -> None:
    with database.reading() as session:
        held = {(row.from_state, row.to_state) for row in session.scalars(select(AllowedTransitionRow))}
    assert held == {(state.value, wanted.value) for state, every in NEXT.items() for wanted in every}


def test_every_change_is_refused_or_made_as_the_lifecycle_says(database: Database) -> None:
    pairs = [(state, wanted) for state in JobState for wanted in JobState if wanted is not state]
    with database.writing() as session:
        ids = {pair: add_job(session, 1.0, state=pair[0].value).id for pair in pairs}
    for (state, wanted), job_id in ids.items():
        assert _changes(database, job_id, wanted) == (wanted in NEXT[state]), (state, wanted)
    with database.reading() as session:
        for (state, wanted), job_id in ids.items():
            assert session.get_one(JobRow, job_id).state == (wanted if wanted in NEXT[state] else state)


def _changes(database: Database, job_id: str, wanted: JobState) -> bool:
    statement = text("UPDATE jobs SET state = :wanted WHERE id = :id").bindparams(wanted=wanted.value, id=job_id)
    try:
        with database.writing() as session:
            session.execute(statement)
    except IllegalTransition:
        return False
    return True


def test_a_writer_whose_row_has_changed_meanwhile_changes_nothing(database: Database) -> None:
    with database.writing() as session:
        job = add_job(session, 1.0)
        job_id = job.id
    with database.writing() as session:
        session.execute(update(JobRow).where(JobRow.id == job_id).values(state="cancelled"))
    job.state = "placing"  # by what it read before
    with pytest.raises(IllegalTransition, match="has changed meanwhile"), database.writing() as session:
        session.add(job)
        session.flush()
    with database.reading() as session:
        assert session.get_one(JobRow, job_id).state == "cancelled"


def test_other_columns_of_a_job_are_not_guarded(database: Database) -> None:
    with database.writing() as session:
        job = add_job(session, 1.0, state="succeeded")
        job.step = 7
    with database.reading() as session:
        assert session.get_one(JobRow, job.id).step == 7
