"""The history of a job, page by page."""

from __future__ import annotations

import time

import pytest

from backend.db.database import Database
from backend.db.tables.events import EventRow
from backend.events import service
from tests.support.jobs import add_running_job
from tunedeck.errors import BadInput, NotFound


@pytest.fixture
def job_id(database: Database) -> str:
    """A job with ten events, of which every other one is a step, among those of another job."""
    with database.writing() as session:
        job, other = add_running_job(session, time.time()), add_running_job(session, time.time())
        for seq in range(1, 11):
            for each in (job, other):
                kind = "step" if seq % 2 else "phase"
                columns = {"job_id": each.id, "attempt": 1, "seq": seq, "kind": kind, "step": seq}
                session.add(EventRow(**columns, t=1.0, payload={"seq": seq}))
                session.flush()
        return job.id


def test_pages_follow_one_another_without_gap_or_double(database: Database, job_id: str) -> None:
    seen, cursor = [], ""
    for _ in range(4):
        page = service.events(database, job_id, cursor, frozenset(), limit=3)
        seen += [event.payload["seq"] for event in page.items]
        cursor = page.next_cursor
    assert seen == list(range(1, 11))
    assert cursor == ""


def test_only_the_asked_kinds_come(database: Database, job_id: str) -> None:
    page = service.events(database, job_id, "", frozenset({"phase"}), limit=100)
    assert [event.payload["seq"] for event in page.items] == [2, 4, 6, 8, 10]


@pytest.mark.parametrize("cursor", ["x", "-1", "1.5", "9" * 20, "²"])
def test_a_cursor_that_is_no_id_is_refused_at_its_field(database: Database, job_id: str, cursor: str) -> None:
    with pytest.raises(BadInput) as refused:
        service.events(database, job_id, cursor, frozenset(), limit=3)
    assert (refused.value.problems[0].field, refused.value.problems[0].value) == ("cursor", cursor)


def test_an_unknown_job_is_not_found(database: Database) -> None:
    with pytest.raises(NotFound, match="nobody"):
        service.events(database, "nobody", "", frozenset(), limit=3)
