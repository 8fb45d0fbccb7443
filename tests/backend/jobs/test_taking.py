"""Jobs that come in together share a transaction, and nothing else: neither faults nor ids nor what is registered."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import func, select

from backend.db.database import Database
from backend.db.tables.datasets import DatasetRow
from backend.db.tables.events import EventRow
from backend.db.tables.hosts import HostRow
from backend.db.tables.jobs import JobRow, TransitionRow
from backend.jobs.desk import Desk
from backend.jobs.intake import read_spec
from backend.jobs.taking import HandedIn, Order, Taken, take
from tests.support.backend import SPEC, host_facts
from tunedeck.errors import SpecInvalid
from tunedeck.views.jobs import JobDetail


def _handed_in(request_key: str = "", **changes: Any) -> HandedIn:
    return HandedIn(Order("first", request_key=request_key), read_spec(SPEC | changes), time.time())


def _made(taken: Taken) -> JobDetail:
    assert isinstance(taken, bytes)
    return JobDetail.model_validate_json(taken)


def _database(stocked: TestClient) -> Database:
    database: Database = stocked.app.state.services.database  # type: ignore[attr-defined]
    return database


def _counts(database: Database) -> tuple[int, ...]:
    with database.reading() as session:
        tables = (JobRow, TransitionRow, EventRow)
        return tuple(session.scalar(select(func.count()).select_from(table)) or 0 for table in tables)


def test_one_that_cannot_run_spoils_none_of_those_that_came_with_it(stocked: TestClient) -> None:
    database = _database(stocked)
    first, refused, last = take(database, [_handed_in(), _handed_in(model="nowhere"), _handed_in(name="last")])
    assert isinstance(refused, SpecInvalid) and "nowhere" in refused.message
    assert (_made(first).name, _made(last).name) == ("first", "last")
    assert _counts(database) == (2, 2, 2)
    for taken in (first, last):
        assert isinstance(taken, bytes)
        assert stocked.get(f"/api/v1/jobs/{_made(taken).id}").json() == json.loads(taken)


def test_a_key_makes_one_job_also_when_it_is_sent_twice_at_once(stocked: TestClient) -> None:
    database = _database(stocked)
    once, again, other = take(database, [_handed_in("a"), _handed_in("a"), _handed_in("b")])
    [later] = take(database, [_handed_in("a", model="gone-since")])
    assert _made(again) == _made(once) == _made(later) and _made(other).id != _made(once).id
    assert _counts(database) == (2, 2, 2)


def test_all_who_come_while_others_are_served_are_served_at_once(stocked: TestClient) -> None:
    database = _database(stocked)
    transactions: list[int] = []

    async def post() -> list[bytes]:
        desk = Desk(database, lambda: transactions.append(_counts(database)[0]))
        return await asyncio.gather(*(desk.hand_in(_handed_in(name=f"job-{number}")) for number in range(10)))

    made = [_made(taken) for taken in asyncio.run(post())]
    assert [each.name for each in made] == [f"job-{number}" for number in range(10)]
    assert len({each.id for each in made}) == 10
    assert transactions == [10]


def test_those_who_come_again_as_soon_as_they_are_answered_share_every_transaction(
    stocked: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backend.jobs.desk.LINGER_S", 60.0)
    database = _database(stocked)
    num_jobs: list[int] = []

    async def post() -> None:
        desk = Desk(database, lambda: num_jobs.append(_counts(database)[0]))

        async def one_after_the_other() -> None:
            for _ in range(3):
                await desk.hand_in(_handed_in())

        await asyncio.gather(*(one_after_the_other() for _ in range(4)))

    asyncio.run(post())
    assert num_jobs == [4, 8, 12]


def test_what_is_registered_is_looked_up_anew_for_those_who_come_later(stocked: TestClient) -> None:
    database = _database(stocked)
    wanted: dict[str, Any] = {"resources": {"num_devices": 3}}
    [taken] = take(database, [_handed_in("", **wanted)])
    with database.writing() as session:
        session.get_one(HostRow, "box").facts = host_facts("box", num_devices=2).model_dump(mode="json")
    [too_many] = take(database, [_handed_in("", **wanted)])
    with database.writing() as session:
        session.scalars(select(DatasetRow)).one().trashed_at = time.time()
    [refused] = take(database, [_handed_in()])
    assert isinstance(taken, bytes)
    assert isinstance(too_many, SpecInvalid) and "resources.num_devices" in {each.field for each in too_many.problems}
    assert isinstance(refused, SpecInvalid) and "trash" in refused.message
