"""What one listener hears: everything, once, in order; and how its stream ends."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator

import pytest

from backend.db.database import Database
from backend.db.tables.events import EventRow
from backend.db.tables.jobs import AttemptRow
from backend.db.tables.run_files import LogChunkRow
from backend.feed.hub import Hub, Topics
from backend.feed.pump import Pump
from backend.feed.stream import FROM_NOW_ON, FeedResponse
from backend.loop import Loop
from backend.metrics.compactor import compact_rows
from backend.metrics.queries import steps_to_compact
from tests.backend.feed.conftest import Client
from tests.support.jobs import add_running_job

ALL = Topics()


@pytest.fixture
def hub() -> Hub:
    return Hub()


@pytest.fixture
def pumping(database: Database, hub: Hub) -> Iterator[Loop]:
    loop = Loop("feed", Pump(database, hub).pump, 0.01)
    loop.start()
    yield loop
    loop.ask_to_stop()
    loop.join(5.0)


@pytest.fixture
def job_id(database: Database) -> str:
    with database.writing() as session:
        return add_running_job(session, time.time()).id


def add_steps(database: Database, job_id: str, steps: range) -> None:
    with database.writing() as session:
        session.add_all(_step_row(job_id, step) for step in steps)


def _step_row(job_id: str, step: int) -> EventRow:
    payload = {"kind": "step", "seq": step, "step": step, "t": 1.0, "metrics": {"loss": 1.0}}
    return EventRow(job_id=job_id, attempt=1, seq=step, kind="step", step=step, t=1.0, payload=payload)


def test_it_begins_with_hello_and_goes_on_live(database: Database, hub: Hub, pumping: Loop, job_id: str) -> None:
    add_steps(database, job_id, range(1, 4))

    async def listen() -> None:
        client = Client(FeedResponse(database, hub, ALL, FROM_NOW_ON))
        await client.until_heard(1)
        await asyncio.to_thread(add_steps, database, job_id, range(4, 6))
        await client.until_heard(3)
        hello, *live = client.heard
        assert (hello.event, hello.data) == ("hello", {"cursor": "3"})
        assert [each.id for each in live] == ["4", "5"]
        assert live[0].data["job_id"] == job_id
        await client.leave()

    asyncio.run(listen())


def test_replay_goes_over_to_live_without_gap_or_double(
    database: Database, hub: Hub, pumping: Loop, job_id: str
) -> None:
    """Eight clients come at any moment while a thread writes without a pause."""
    last = 1_500
    add_steps(database, job_id, range(1, 601))

    def write() -> None:
        for first in range(601, last + 1, 10):
            add_steps(database, job_id, range(first, first + 10))

    async def listen() -> None:
        writer = threading.Thread(target=write)
        writer.start()
        clients = []
        for number in range(8):
            clients.append(Client(FeedResponse(database, hub, ALL, 50 * number)))
            await asyncio.sleep(0.02)
        for number, client in enumerate(clients):
            await client.until_step(last)
            assert client.steps == list(range(50 * number + 1, last + 1))
            await client.leave()
        writer.join()

    asyncio.run(listen())


def test_only_the_asked_jobs_are_heard(database: Database, hub: Hub, pumping: Loop, job_id: str) -> None:
    with database.writing() as session:
        other = add_running_job(session, time.time()).id
    add_steps(database, job_id, range(1, 3))
    add_steps(database, other, range(1, 3))

    async def listen() -> None:
        client = Client(FeedResponse(database, hub, Topics(frozenset({other})), 0))
        await client.until_step(2)
        await asyncio.to_thread(add_steps, database, job_id, range(3, 6))
        await asyncio.to_thread(add_steps, database, other, range(3, 4))
        await client.until_step(3)
        assert {each.data["job_id"] for each in client.heard if each.event == "step"} == {other}
        await client.leave()

    asyncio.run(listen())


def test_log_lines_are_pushed_without_an_id(database: Database, hub: Hub, pumping: Loop, job_id: str) -> None:
    async def listen() -> None:
        client = Client(FeedResponse(database, hub, ALL, FROM_NOW_ON))
        await client.until_heard(1)
        await asyncio.to_thread(add_log, database, job_id, ["one", "two"])
        await client.until_heard(2)
        assert client.heard[1].id == ""
        assert client.heard[1].data == {"job_id": job_id, "attempt": 1, "first_line": 1, "lines": ["one", "two"]}
        await client.leave()

    asyncio.run(listen())


def add_log(database: Database, job_id: str, lines: list[str]) -> None:
    with database.writing() as session:
        chunk = {"job_id": job_id, "attempt": 1, "first_line": 1, "num_lines": len(lines)}
        session.add(LogChunkRow(**chunk, text="\n".join(lines)))
        session.get_one(AttemptRow, (job_id, 1)).ingested_line = len(lines)


@pytest.mark.parametrize("last_event_id", [5, 1_000_000])
def test_who_cannot_be_replayed_to_is_told_to_fetch_everything_again(
    database: Database, hub: Hub, pumping: Loop, job_id: str, last_event_id: int
) -> None:
    """Either because events were compacted since, or because the id is of another database."""
    add_steps(database, job_id, range(1, 21))
    with database.writing() as session:
        attempt = session.get_one(AttemptRow, (job_id, 1))
        attempt.ingested_seq = 20
        compact_rows(session, attempt, steps_to_compact(session, attempt, time.time(), 10))

    async def listen() -> None:
        client = Client(FeedResponse(database, hub, ALL, last_event_id))
        await client.until_heard(2)
        assert [(each.event, each.id) for each in client.heard][1:] == [("reset", "20")]
        await asyncio.to_thread(add_steps, database, job_id, range(21, 22))
        await client.until_step(21)
        assert client.steps == [21]
        await client.leave()

    asyncio.run(listen())


def test_who_has_seen_what_was_compacted_is_replayed_to(
    database: Database, hub: Hub, pumping: Loop, job_id: str
) -> None:
    add_steps(database, job_id, range(1, 21))
    with database.writing() as session:
        attempt = session.get_one(AttemptRow, (job_id, 1))
        attempt.ingested_seq = 20
        compact_rows(session, attempt, steps_to_compact(session, attempt, time.time(), 10))

    async def listen() -> None:
        client = Client(FeedResponse(database, hub, ALL, 10))
        await client.until_step(20)
        assert client.steps == list(range(11, 21))
        await client.leave()

    asyncio.run(listen())


def test_a_listener_that_does_not_read_is_cut_off_and_its_stream_closed(database: Database, job_id: str) -> None:
    hub = Hub(queue_length=100)
    pump = Pump(database, hub)

    async def listen() -> None:
        await asyncio.to_thread(pump.pump)
        slow = Client(FeedResponse(database, hub, ALL, FROM_NOW_ON))
        good = Client(FeedResponse(database, hub, ALL, FROM_NOW_ON))
        await slow.until_heard(1)
        await good.until_heard(1)
        slow.may_read.clear()
        for first in range(1, 1_001, 50):
            await asyncio.to_thread(add_steps, database, job_id, range(first, first + 50))
            await asyncio.to_thread(pump.pump)
            await good.until_step(first + 49)
        await slow.until_over()
        assert hub.num_listeners == 1
        assert good.steps == list(range(1, 1_001))
        await good.leave()

    asyncio.run(listen())


def test_a_client_that_is_gone_leaves_nothing_behind(database: Database, hub: Hub, pumping: Loop, job_id: str) -> None:
    async def listen() -> None:
        clients = [Client(FeedResponse(database, hub, ALL, 0)) for _ in range(10)]
        for client in clients:
            await client.until_heard(1)
        assert hub.num_listeners == 10
        for client in clients:
            await client.leave()
        assert hub.num_listeners == 0
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(listen())


def test_closing_the_hub_ends_open_streams_and_later_ones(
    database: Database, hub: Hub, pumping: Loop, job_id: str
) -> None:
    async def listen() -> None:
        client = Client(FeedResponse(database, hub, ALL, 0))
        await client.until_heard(1)
        await asyncio.to_thread(hub.close)
        await client.until_over()
        assert client.is_finished
        late = Client(FeedResponse(database, hub, ALL, 0))
        await late.until_over()

    asyncio.run(listen())
