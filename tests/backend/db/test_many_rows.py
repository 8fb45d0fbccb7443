"""Many rows at once are the same rows as one by one, on either database."""

from __future__ import annotations

from typing import Any, cast

import pytest
from sqlalchemy import Table, select
from sqlalchemy.exc import IntegrityError

from backend.db.database import Database
from backend.db.many_rows import Insertion, insert_new, insert_together, update_many
from backend.db.tables.events import EventRow
from backend.db.tables.jobs import JobRow, TransitionRow
from tests.support.jobs import add_job

JOBS = cast(Table, JobRow.__table__)
EVENTS = cast(Table, EventRow.__table__)
TRANSITIONS = cast(Table, TransitionRow.__table__)
LINE = {"job_id": "one", "at": 7.5, "from_state": "queued", "to_state": "queued", "who": "first", "why": ""}
ODD = {"text": 'a "quoted" \\ line\n', "nul": "\0", "half": "\ud83d", "umlaut": "ü", "none": None, "float": 0.1 + 0.2}


def _event(seq: int | None, payload: dict[str, Any]) -> dict[str, Any]:
    return {
        "job_id": "one",
        "attempt": 1,
        "seq": seq,
        "kind": "step",
        "step": 2**31 - 1,
        "t": 1e9 / 7,
        "payload": payload,
    }


def test_every_value_comes_back_as_it_was(database: Database) -> None:
    with database.writing() as session:
        add_job(session, 1.0, id="one")
        insert_together(session, [Insertion(EVENTS, [_event(1, ODD), _event(None, {})])])
    with database.reading() as session:
        odd, empty = session.scalars(select(EventRow).order_by(EventRow.id))
    assert (odd.payload, odd.seq, odd.step, odd.t) == (ODD, 1, 2**31 - 1, 1e9 / 7)
    assert (empty.payload, empty.seq) == ({}, None)


def test_what_is_there_already_is_left_out_only_where_that_is_asked_for(database: Database) -> None:
    with database.writing() as session:
        add_job(session, 1.0, id="one")
        insert_new(session, EVENTS, [_event(1, {"a": 1})])
        insert_new(session, EVENTS, [_event(1, {"a": 2}), _event(2, {"a": 3})])
    with pytest.raises(IntegrityError), database.writing() as session:
        insert_together(session, [Insertion(EVENTS, [_event(2, {"a": 4})])])
    with database.reading() as session:
        assert [row.payload["a"] for row in session.scalars(select(EventRow).order_by(EventRow.seq))] == [1, 3]


def test_rows_of_several_tables_are_inserted_together_or_not_at_all(database: Database) -> None:
    first, second = ({**LINE, "why": why} for why in ("first", "second"))
    with database.writing() as session:
        add_job(session, 1.0, id="one")
    with database.writing() as session:
        lines, events = Insertion(TRANSITIONS, [first]), Insertion(EVENTS, [_event(1, ODD), _event(2, {})])
        insert_together(session, [lines, Insertion(JOBS, []), events])
    with database.writing() as session:
        insert_together(session, [Insertion(EVENTS, [_event(2, {}), _event(3, {})], may_clash=True)])
    with pytest.raises(IntegrityError), database.writing() as session:
        insert_together(session, [Insertion(TRANSITIONS, [second]), Insertion(EVENTS, [_event(3, {})])])
    with database.reading() as session:
        assert [row.why for row in session.scalars(select(TransitionRow).where(TransitionRow.at == LINE["at"]))] == [
            "first"
        ]
        stored = session.scalars(select(EventRow).where(EventRow.seq.is_not(None)).order_by(EventRow.seq)).all()
    assert [(row.seq, row.payload) for row in stored] == [(1, ODD), (2, {}), (3, {})]


def test_only_the_given_columns_of_the_given_rows_change(database: Database) -> None:
    with database.writing() as session:
        for job_id in ("one", "two", "three"):
            add_job(session, 1.0, id=job_id, name=job_id)
        update_many(session, JOBS, [])
        changes = [{"id": job_id, "step": step, "latest": {"loss": None}} for job_id, step in (("one", 7), ("two", 8))]
        update_many(session, JOBS, changes)
    with database.reading() as session:
        found = {row.id: (row.name, row.step, row.latest) for row in session.scalars(select(JobRow))}
    assert found == {"one": ("one", 7, {"loss": None}), "two": ("two", 8, {"loss": None}), "three": ("three", 0, {})}
