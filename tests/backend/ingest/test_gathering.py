"""While nobody listens, points gather before they are written; nothing else ever waits for them."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from backend.db.database import Database
from backend.db.tables.jobs import AttemptRow
from backend.ingest.stream import EventStream
from tests.backend.ingest.conftest import Ingesting
from tests.support.jobs import add_running_job, ended_message, events_message, heartbeat, step_line
from tunedeck.bus import BusMessage


def running_job(database: Database) -> str:
    with database.writing() as session:
        return add_running_job(session, time.time()).id


@contextmanager
def said_a_little_later(ingesting: Ingesting, message: BusMessage) -> Iterator[None]:
    timer = threading.Timer(0.1, ingesting.say, [[message]])
    timer.start()
    yield
    timer.join()


def test_points_that_nobody_watches_share_a_transaction(ingesting: Ingesting, database: Database) -> None:
    job_id = running_job(database)
    ingesting.is_watched = False
    with said_a_little_later(ingesting, events_message(job_id, [step_line(2, 2)])):
        ingesting.hear(events_message(job_id, [step_line(1, 1)]))
    assert ingesting.feed_wakes == 1
    with database.reading() as session:
        assert session.get_one(AttemptRow, (job_id, 1)).ingested_seq == 2


def test_a_point_that_somebody_watches_waits_for_no_other(ingesting: Ingesting, database: Database) -> None:
    job_id = running_job(database)
    with said_a_little_later(ingesting, events_message(job_id, [step_line(2, 2)])):
        ingesting.hear(events_message(job_id, [step_line(1, 1)]))
        with database.reading() as session:
            assert session.get_one(AttemptRow, (job_id, 1)).ingested_seq == 1


@pytest.mark.parametrize("ends", [False, True])
def test_the_end_of_an_attempt_never_waits(ingesting: Ingesting, ends: bool) -> None:
    ingesting.say(
        [events_message("j", [step_line(1, 1)]), heartbeat("j"), *([ended_message("j", "succeeded")] if ends else [])]
    )
    assert EventStream(ingesting.bus).read(0.0).may_wait is not ends
