"""What the stream says reaches the database once, whatever is lost, doubled or broken on the way."""

from __future__ import annotations

import time

import pytest
import redis
from sqlalchemy import select

from backend.db.database import Database
from backend.db.tables.events import EventRow
from backend.db.tables.hosts import HostRow
from backend.db.tables.jobs import AttemptRow, JobRow
from tests.backend.ingest.conftest import Ingesting
from tests.support.jobs import (
    add_attempt,
    add_job,
    add_running_job,
    ended_message,
    event_line,
    events_message,
    facts_of,
    heartbeat,
    step_line,
)
from tests.support.valkey import ValkeyServer
from tunedeck.bus import EVENTS_STREAM, HelloMessage


def running_job(database: Database) -> str:
    with database.writing() as session:
        return add_running_job(session, time.time()).id


def stored_steps(database: Database, job_id: str) -> list[int | None]:
    with database.reading() as session:
        query = select(EventRow.step).where(EventRow.job_id == job_id, EventRow.kind == "step").order_by(EventRow.seq)
        return list(session.scalars(query))


def test_what_is_stored_is_taken_off_the_stream(ingesting: Ingesting, database: Database) -> None:
    job_id = running_job(database)
    ingesting.hear(events_message(job_id, [step_line(1, 1), step_line(2, 2)]), heartbeat(job_id))
    assert stored_steps(database, job_id) == [1, 2]
    assert ingesting.bus.xlen(EVENTS_STREAM) == 0
    assert ingesting.feed_wakes == 1


def test_a_message_that_comes_twice_counts_once(ingesting: Ingesting, database: Database) -> None:
    job_id = running_job(database)
    message = events_message(job_id, [step_line(seq, seq) for seq in range(1, 11)])
    overlapping = events_message(job_id, [step_line(seq, seq) for seq in range(6, 13)])
    ingesting.hear(message, message, overlapping)
    ingesting.hear(message)
    assert stored_steps(database, job_id) == list(range(1, 13))
    with database.reading() as session:
        assert session.get_one(AttemptRow, (job_id, 1)).ingested_seq == 12


def test_a_backend_that_died_between_commit_and_trim_stores_nothing_twice(
    ingesting: Ingesting, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = running_job(database)
    ingesting.say([events_message(job_id, [step_line(1, 1)])])
    with monkeypatch.context() as patch:
        patch.setattr(ingesting.bus, "xtrim", _refuse)
        with pytest.raises(redis.RedisError):
            ingesting.ingest.round()
    assert ingesting.bus.xlen(EVENTS_STREAM) == 1
    ingesting.fresh(database).round()
    assert stored_steps(database, job_id) == [1]
    assert ingesting.bus.xlen(EVENTS_STREAM) == 0


def test_a_gap_stays_open_until_the_lost_lines_come_again(ingesting: Ingesting, database: Database) -> None:
    job_id = running_job(database)
    ingesting.hear(
        events_message(job_id, [step_line(1, 1)]), events_message(job_id, [step_line(4, 4), step_line(5, 5)])
    )
    with database.reading() as session:
        assert session.get_one(AttemptRow, (job_id, 1)).ingested_seq == 1
    ingesting.hear(events_message(job_id, [step_line(seq, seq) for seq in range(2, 6)]))
    assert stored_steps(database, job_id) == [1, 2, 3, 4, 5]
    with database.reading() as session:
        assert session.get_one(AttemptRow, (job_id, 1)).ingested_seq == 5
        assert session.get_one(JobRow, job_id).loss_curve["values"] == [1.0, 0.5, 0.33333, 0.25, 0.2]


def test_a_replaced_attempt_a_finished_one_and_an_unknown_job_are_not_heard(
    ingesting: Ingesting, database: Database
) -> None:
    now = time.time()
    with database.writing() as session:
        replaced = add_job(session, now, state="running", attempt=2)
        add_attempt(session, replaced.id, 1, now)
        add_attempt(session, replaced.id, 2, now)
        over = add_job(session, now, state="queued", attempt=1)
        add_attempt(session, over.id, 1, now, ended_at=now)
    line = step_line(1, 1)
    ingesting.hear(
        events_message(replaced.id, [line], attempt=1),
        ended_message(over.id, "succeeded"),
        events_message("nobody", [line]),
    )
    assert ingesting.ingest.num_dropped == 3
    assert stored_steps(database, replaced.id) == []
    with database.reading() as session:
        assert session.get_one(JobRow, over.id).state == "queued"
    assert ingesting.bus.xlen(EVENTS_STREAM) == 0


def test_what_cannot_be_read_is_left_out_and_stops_nothing(ingesting: Ingesting, database: Database) -> None:
    job_id = running_job(database)
    ingesting.bus.xadd(EVENTS_STREAM, {"m": "{ this is no JSON"})
    ingesting.bus.xadd(EVENTS_STREAM, {"another": "field"})
    lines = ["{ broken", step_line(2, 2), '{"kind": "unheard of", "seq": 3, "t": 0}', step_line(4, 4)]
    ingesting.hear(events_message(job_id, lines))
    assert stored_steps(database, job_id) == [2, 4]
    with database.reading() as session:
        assert session.get_one(AttemptRow, (job_id, 1)).ingested_seq == 4
    assert ingesting.bus.xlen(EVENTS_STREAM) == 0


def test_a_message_that_the_database_refuses_does_not_take_the_others_with_it(
    ingesting: Ingesting, database: Database
) -> None:
    job_id = running_job(database)
    too_large = step_line(2, 2**70)
    ingesting.hear(
        events_message(job_id, [step_line(1, 1)]),
        events_message(job_id, [too_large]),
        events_message(job_id, [step_line(3, 3)]),
    )
    assert stored_steps(database, job_id) == [1, 3]
    assert ingesting.bus.xlen(EVENTS_STREAM) == 0


def test_any_message_of_an_attempt_extends_its_lease(ingesting: Ingesting, database: Database) -> None:
    now = time.time()
    with database.writing() as session:
        by_heartbeat = add_running_job(session, now, lease_s=1).id
        by_hello = add_running_job(session, now, lease_s=1).id
    ingesting.hear(
        heartbeat(by_heartbeat), HelloMessage(facts=facts_of("box", num_devices=2), attempts=((by_hello, 1),))
    )
    with database.reading() as session:
        leases = set(session.scalars(select(AttemptRow.lease_expires_at)))
        assert all(lease >= now + 15 for lease in leases)
        host = session.get_one(HostRow, "box")
        assert (host.num_devices, host.last_seen_at >= now) == (2, True)
    assert ingesting.scheduler_wakes == 1


def test_listening_begins_again_after_the_bus_was_away(
    ingesting: Ingesting, database: Database, valkey: ValkeyServer
) -> None:
    job_id = running_job(database)
    ingesting.ingest.round()
    ingesting.ingest.round()
    listened_s = ingesting.ingest.hearing.lasted_s()
    assert listened_s > 0
    valkey.kill(lose_data=True)
    with pytest.raises(redis.RedisError):
        ingesting.ingest.round()
    assert ingesting.ingest.hearing.lasted_s() == 0
    valkey.start()
    ingesting.hear(events_message(job_id, [step_line(1, 1)]))
    assert ingesting.ingest.hearing.lasted_s() < listened_s
    assert stored_steps(database, job_id) == [1]


def test_a_backend_that_no_longer_leads_leaves_the_stream_alone(ingesting: Ingesting, database: Database) -> None:
    job_id = running_job(database)
    ingesting.leadership.resign()
    ingesting.hear(events_message(job_id, [step_line(1, 1)]))
    assert stored_steps(database, job_id) == []
    assert ingesting.bus.xlen(EVENTS_STREAM) == 1


def _refuse(*_: object, **__: object) -> None:
    raise redis.ConnectionError("the bus went away")


def test_what_a_launcher_waits_for_is_told_until_the_engine_speaks(ingesting: Ingesting, database: Database) -> None:
    with database.writing() as session:
        job_id = add_job(session, time.time(), state="placing", attempt=1).id
        add_attempt(session, job_id, 1, time.time())
    waiting = heartbeat(job_id).model_copy(update={"phase": "in Ray's queue"})
    ingesting.hear(waiting)
    with database.reading() as session:
        assert session.get_one(JobRow, job_id).phase == "in Ray's queue"
        views = select(EventRow.payload).where(EventRow.job_id == job_id, EventRow.kind == "job").order_by(EventRow.id)
        assert session.scalars(views).all()[-1]["phase"] == "in Ray's queue"
    ingesting.hear(events_message(job_id, [event_line("phase", 1, phase="loading")]), heartbeat(job_id))
    with database.reading() as session:
        assert session.get_one(JobRow, job_id).phase == "loading"
