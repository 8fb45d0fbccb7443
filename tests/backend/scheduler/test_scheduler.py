"""Whole ticks against a real bus: what reaches the workers, and what happens when the bus does not."""

from __future__ import annotations

import base64
import itertools
import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from backend.bus import connect
from backend.db.database import Database
from backend.db.tables.jobs import AttemptRow, JobRow
from backend.ingest.hearing import Hearing, Moment
from backend.scheduler.leadership import Leadership
from backend.scheduler.scheduler import MESSAGE_PATIENCE_S, Scheduler
from tests.support.jobs import add_host, add_job, add_running_job
from tests.support.valkey import ValkeyServer
from tunedeck.bus import RUN_ATTEMPT_TASK, ControlRecord, RunAttempt, control_key, queue_of
from tunedeck.settings import Settings


def heard_for(seconds: float) -> Hearing:
    """As if ingest had begun so long ago and had stored everything up to now."""
    began = Moment(time.time() - seconds, time.monotonic() - seconds)
    moments = itertools.chain([began] * 3, iter(Moment.now, None))
    hearing = Hearing(15.0, lambda: next(moments))
    for _ in range(2):
        with hearing.asking(0.5):
            pass
        hearing.all_is_stored()
    return hearing


class Ticking:
    """A scheduler that leads, its bus, and an ingest that has long heard everything."""

    def __init__(self, database: Database, server: ValkeyServer, folder: Path, listened_s: float = 3600.0) -> None:
        settings = Settings(data_dir=folder, redis_url=server.url, lease_s=15.0)
        leadership = Leadership(database, lease_s=600.0)  # a busy machine must not cost it the lead
        leadership.renew()
        self.bus = connect(server.url)
        self.scheduler = Scheduler(settings, database, self.bus, leadership, heard_for(listened_s))

    def tick(self) -> None:
        self.scheduler.tick()

    def control(self, job_id: str) -> ControlRecord:
        return ControlRecord.model_validate_json(self.bus.get(control_key(job_id)) or "")

    def messages(self, host: str = "box") -> list[RunAttempt]:
        """What Celery has put into the queue of `host`, oldest first."""
        found = []
        for raw in reversed(self.bus.lrange(queue_of(host), 0, -1)):
            envelope = json.loads(raw)
            assert envelope["headers"]["task"] == RUN_ATTEMPT_TASK
            args, _, _ = json.loads(base64.b64decode(envelope["body"]))
            found.append(RunAttempt.model_validate_json(args[0]))
        return found


@pytest.fixture
def ticking(database: Database, valkey: ValkeyServer, tmp_path: Path) -> Iterator[Ticking]:
    made = Ticking(database, valkey, tmp_path)
    yield made
    made.scheduler.close()
    made.bus.close()


def test_a_placed_job_is_sent_to_its_host_once_its_control_record_is_there(
    ticking: Ticking, database: Database
) -> None:
    with database.writing() as session:
        add_host(session, time.time())
        job = add_job(session, time.time(), "cuda", 2)
    ticking.tick()
    ticking.tick()
    [message] = ticking.messages()
    assert (message.job_id, message.attempt, message.resume_from) == (job.id, 1, "")
    assert ticking.control(job.id) == ControlRecord(attempt=1, desired="run", ingested_seq=0, ingested_line=0)


def test_a_job_of_an_older_version_fails_with_a_reason_and_holds_up_no_other(
    ticking: Ticking, database: Database
) -> None:
    with database.writing() as session:
        add_host(session, time.time())
        old, new = (add_job(session, time.time() + number, "cuda") for number in range(2))
        old.resolved = {section: values for section, values in old.resolved.items() if section != "tracking"}
    ticking.tick()
    with database.reading() as session:
        failed = session.get_one(JobRow, old.id)
        assert (failed.state, failed.fault and failed.fault["message"]) == (
            "failed",
            "it was taken by another version of Tunedeck: tracking: field required",
        )
    assert [message.job_id for message in ticking.messages()] == [new.id]


def test_the_next_tick_is_wanted_when_the_next_try_is_due(ticking: Ticking, database: Database) -> None:
    with database.writing() as session:
        add_host(session, time.time())
        job = add_job(session, time.time(), "cuda", 2)
        job.not_before = time.time() + 100
    wanted_s = ticking.scheduler.tick()
    assert wanted_s is not None
    assert 0 <= wanted_s <= 100
    with database.writing() as session:
        session.get_one(JobRow, job.id).not_before = 0.0
    assert ticking.scheduler.tick() is None
    assert [message.job_id for message in ticking.messages()] == [job.id]


def test_it_knows_after_a_tick_whether_jobs_wait_that_found_no_room(ticking: Ticking, database: Database) -> None:
    with database.writing() as session:
        add_job(session, time.time(), "cuda", 2)
    ticking.tick()
    assert ticking.scheduler.has_waiting
    with database.writing() as session:
        add_host(session, time.time())
    ticking.tick()
    assert not ticking.scheduler.has_waiting


def test_a_lost_message_is_sent_again(ticking: Ticking, database: Database) -> None:
    with database.writing() as session:
        add_host(session, time.time())
        job = add_job(session, time.time(), "cuda", 2)
    ticking.tick()
    ticking.bus.flushall()
    with database.writing() as session:
        session.get_one(AttemptRow, (job.id, 1)).message_sent_at -= MESSAGE_PATIENCE_S
    ticking.tick()
    assert [message.attempt for message in ticking.messages()] == [1]
    assert ticking.control(job.id).attempt == 1


@pytest.mark.parametrize(("desired", "told"), [("cancel", "stop"), ("cancel_now", "end"), ("pause", "stop")])
def test_a_wish_reaches_the_control_record_at_the_next_tick(
    ticking: Ticking, database: Database, desired: str, told: str
) -> None:
    with database.writing() as session:
        job = add_running_job(session, time.time(), lease_s=15)
    ticking.tick()
    assert ticking.control(job.id).desired == "run"
    with database.writing() as session:
        row = session.get_one(JobRow, job.id)
        row.desired, row.state = desired, "stopping"
    ticking.tick()
    assert ticking.control(job.id).desired == told


def test_a_worker_whose_lease_ran_out_is_fenced_even_before_the_job_is_placed_again(
    ticking: Ticking, database: Database
) -> None:
    with database.writing() as session:
        job = add_running_job(session, time.time(), lease_s=-1)
    ticking.tick()
    assert ticking.control(job.id).attempt == 2
    ticking.bus.flushall()
    ticking.tick()
    assert ticking.control(job.id).attempt == 2


def test_the_worker_of_a_job_that_was_given_up_stays_fenced(ticking: Ticking, database: Database) -> None:
    with database.writing() as session:
        job = add_running_job(session, time.time(), lease_s=-1)
        session.get_one(JobRow, job.id).desired = "cancel"
    ticking.tick()
    ticking.tick()
    with database.reading() as session:
        assert session.get_one(JobRow, job.id).state == "cancelled"
    assert ticking.control(job.id).attempt == 2


@pytest.mark.parametrize(("listened_s", "state"), [(14.0, "running"), (16.0, "queued")])
def test_no_lease_ends_before_ingest_has_listened_for_a_whole_lease(
    database: Database, valkey: ValkeyServer, tmp_path: Path, listened_s: float, state: str
) -> None:
    ticking = Ticking(database, valkey, tmp_path, listened_s)
    with database.writing() as session:
        job = add_running_job(session, time.time(), lease_s=-100)
    ticking.tick()
    with database.reading() as session:
        assert session.get_one(JobRow, job.id).state == state


def test_without_the_bus_nothing_is_placed_and_a_new_bus_hears_everything(
    ticking: Ticking, database: Database, valkey: ValkeyServer
) -> None:
    with database.writing() as session:
        add_host(session, time.time())
        running = add_running_job(session, time.time(), lease_s=15)
        waiting = add_job(session, time.time(), "cuda", 1)
    ticking.tick()
    valkey.kill(lose_data=True)
    with pytest.raises(redis.RedisError):
        ticking.tick()
    valkey.start()
    with database.writing() as session:
        session.get_one(AttemptRow, (waiting.id, 1)).message_sent_at -= MESSAGE_PATIENCE_S
    ticking.tick()
    assert ticking.control(running.id).attempt == 1
    assert [message.job_id for message in ticking.messages()] == [waiting.id]


def test_a_backend_that_does_not_lead_decides_nothing(database: Database, valkey: ValkeyServer, tmp_path: Path) -> None:
    leading = Ticking(database, valkey, tmp_path)
    other = Ticking(database, valkey, tmp_path)
    with database.writing() as session:
        add_host(session, time.time())
        add_job(session, time.time(), "cuda", 1)
    other.tick()
    assert other.messages() == []
    leading.tick()
    assert len(leading.messages()) == 1
