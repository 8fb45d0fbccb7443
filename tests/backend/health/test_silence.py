"""A run that says nothing is told, where its silence means anything."""

from __future__ import annotations

import time

from backend.db.database import Database
from backend.db.tables.jobs import JobRow
from backend.health import conditions
from backend.health.rules import patience_s
from backend.health.silence import Silence
from backend.ingest.hearing import Hearing, Moment
from backend.scheduler.leadership import Leadership
from tests.support.jobs import add_running_job

LEASE_S = 15.0


class Clock:
    def __init__(self) -> None:
        self.s = time.time()

    def __call__(self) -> Moment:
        return Moment(self.s, self.s)


def listening(clock: Clock, for_s: float) -> Hearing:
    hearing = Hearing(LEASE_S, clock)
    for _ in range(2):
        with hearing.asking(1.0):
            pass
        hearing.all_is_stored()
        clock.s += for_s
    return hearing


def told(database: Database, job_id: str) -> list[str]:
    with database.reading() as session:
        return [condition.sentence for condition in conditions.of_job(session.get_one(JobRow, job_id))]


def test_a_run_without_an_event_for_longer_than_it_may_is_told(database: Database) -> None:
    clock = Clock()
    hearing = listening(clock, LEASE_S + 1)
    leadership = Leadership(database, lease_s=600.0)  # a busy machine must not cost it the lead
    leadership.renew()
    now = hearing.silence_until()
    assert now is not None
    with database.writing() as session:
        quiet = add_running_job(session, now, step=40, heard_at=now - 125.0).id
        fresh = add_running_job(session, now, heard_at=now - 100.0).id
        slow = add_running_job(session, now, heard_at=now - 125.0, step_time_ema_s=10.0).id
        never = add_running_job(session, now, heard_at=0.0).id
    Silence(database, leadership, hearing).look()
    assert told(database, quiet) == ["No event since step 40."]
    assert [told(database, job_id) for job_id in (fresh, slow, never)] == [[], [], []]


def test_while_the_bus_is_away_nobody_is_silent(database: Database) -> None:
    clock = Clock()
    hearing = listening(clock, LEASE_S + 1)
    hearing.interrupt()
    leadership = Leadership(database, lease_s=600.0)
    leadership.renew()
    with database.writing() as session:
        job_id = add_running_job(session, clock.s, heard_at=clock.s - 1000.0).id
    Silence(database, leadership, hearing).look()
    assert told(database, job_id) == []


def test_the_longest_silence_so_far_and_a_save_give_patience() -> None:
    assert patience_s("training", 5.0, 1.0) == 120.0
    assert patience_s("training", 50.0, 1.0) == 150.0
    assert patience_s("training", 5.0, 10.0) == 200.0
    assert patience_s("saving", 5.0, 1.0) == 600.0
