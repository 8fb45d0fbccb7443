"""Random schedules of everything that can happen to jobs, against a model of what a worker promises.

The scheduler, ingest, user actions and the database (a real SQLite file) are the service's own; workers and bus are
those of model_worker.py. Hypothesis chooses the order, shrinks what fails, and says the schedule.
`many_schedules.py` tries a thousand of them.
"""

from __future__ import annotations

import tempfile
from functools import cache
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import hypothesis
import hypothesis.strategies as st
from hypothesis import HealthCheck, settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from backend.db.database import Database
from backend.db.migrate import migrate
from backend.db.tables.events import EventRow
from backend.db.tables.hosts import HostRow
from backend.db.tables.jobs import AttemptRow, JobRow, TransitionRow
from backend.db.tables.leaders import LeaderRow
from backend.ingest.batch import Batch, read
from backend.jobs.actions import act
from backend.scheduler import scheduler as scheduler_module
from backend.scheduler.leadership import Leadership
from backend.scheduler.scheduler import Scheduler
from tests.chaos.model_worker import Key, ModelBus, ModelWorkers, Outcome
from tests.support.jobs import add_job
from tunedeck.actions import Action, Cancel, Hold, Pause, Release, Reprioritise, Resume, Retry
from tunedeck.errors import TunedeckError
from tunedeck.lifecycle import FINAL, HOLDS_DEVICES, JobState, is_allowed
from tunedeck.retries import RETRIED
from tunedeck.settings import Settings

HOSTS = ("one", "two")
NUM_DEVICES = 2
LEASE_S = 15.0
ACTIONS = (
    *(Cancel(), Cancel(checkpoint=False), Pause(), Pause(), Resume(), Retry(), Retry(step=0), Hold(), Release()),
    Reprioritise(priority=1),
)
MOST_JOBS = 4
_WAITS_FOR_A_USER: dict[str, Action] = {"paused": Resume(), "held": Release()}


class Shared:
    """One migrated database for all schedules; a schedule begins by emptying it."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="td-")
        folder = Path(self._folder.name)
        self.settings = Settings(data_dir=folder, lease_s=LEASE_S, max_attempts=3)
        self.database = Database(self.settings.resolved_database_url())
        migrate(self.database)

    def empty(self) -> None:
        with self.database.writing() as session:
            for table in (JobRow, HostRow, LeaderRow):  # the rest goes with the jobs
                session.execute(delete(table))


@cache
def shared() -> Shared:
    return Shared()


class AnySchedule(RuleBasedStateMachine):
    """Jobs that need one or both GPUs of one of two hosts. Time stands still but for the rule that passes it."""

    def __init__(self) -> None:
        super().__init__()
        shared().empty()
        self.now = 1_000_000.0
        self.bus = ModelBus()
        self.workers = ModelWorkers(self.bus, HOSTS)
        self.database = shared().database
        self.cancelled: set[str] = set()
        self.job_ids: list[str] = []
        leadership = Leadership(self.database, lease_s=1e9)
        leadership.renew()
        hearing = SimpleNamespace(silence_until=lambda: self.now)
        self.scheduler = Scheduler(shared().settings, self.database, self.bus, leadership, hearing)
        self.scheduler._dispatcher = self.bus
        self._clock = mock.patch.object(scheduler_module, "time", SimpleNamespace(time=lambda: self.now))
        self._clock.start()
        for host in HOSTS:
            self.workers.greet(host)
        self.ingest(again=False)

    def teardown(self) -> None:
        """Whatever the schedule was: with hosts that live, a bus that works and time, every job ends, and only once."""
        for _ in range(80):
            for job_id, state in self._unfinished().items():
                if state in _WAITS_FOR_A_USER:
                    act(self.database, "somebody", job_id, _WAITS_FOR_A_USER[state], self.now)
            if not self._unfinished():
                break
            self._quiet_round()
        self._clock.stop()
        self.scheduler.close()
        assert self._unfinished() == {}
        self._check_ends()

    @initialize()
    def two_jobs_run(self) -> None:
        """Where most that can go wrong begins. There is room for one of them on each host, and a third must wait."""
        for num_devices in (1, NUM_DEVICES, NUM_DEVICES):
            self.submit(num_devices)
        self.all_goes_well_for_a_round(1.0)
        self.all_goes_well_for_a_round(1.0)

    # What users do.

    @precondition(lambda self: len(self.job_ids) < MOST_JOBS)
    @rule(num_devices=st.integers(1, NUM_DEVICES))
    def submit(self, num_devices: int) -> None:
        with self.database.writing() as session:
            self.job_ids.append(add_job(session, self.now, "cuda", num_devices).id)

    @precondition(lambda self: self.job_ids)
    @rule(data=st.data(), action=st.sampled_from(ACTIONS))
    def act(self, data: st.DataObject, action: Action) -> None:
        """What is refused changes nothing."""
        job_id = data.draw(st.sampled_from(self.job_ids))
        before = self._states()
        try:
            act(self.database, "somebody", job_id, action, self.now)
        except TunedeckError:
            assert self._states() == before
            return
        if isinstance(action, Cancel):
            self.cancelled.add(job_id)

    # What the service does.

    @rule()
    def tick(self) -> None:
        self.scheduler.tick()

    @rule(again=st.booleans())
    def ingest(self, again: bool) -> None:
        """`again`: the backend dies after the commit and before it trims the stream."""
        with self.database.writing() as session:
            Batch(session, shared().settings, read(self.bus.stream), self.now).apply()
        if not again:
            self.bus.stream.clear()

    @rule(seconds=st.sampled_from([1.0, 6.0, LEASE_S + 1.0]))
    def pass_time(self, seconds: float) -> None:
        self.now += seconds

    # What workers do.

    @precondition(lambda self: self.bus.wake_ups)
    @rule(data=st.data(), stays=st.booleans())
    def take_wake_up(self, data: st.DataObject, stays: bool) -> None:
        """`stays`: the message was doubled, and its twin comes later."""
        dispatch = data.draw(st.sampled_from(self.bus.wake_ups))
        self.workers.take(dispatch)
        if not stays:
            self.bus.wake_ups.remove(dispatch)

    @precondition(lambda self: self.workers.engines)
    @rule(data=st.data(), num_steps=st.integers(1, 3), saves=st.booleans())
    def train(self, data: st.DataObject, num_steps: int, saves: bool) -> None:
        key = self._draw_engine(data)
        for _ in range(num_steps):
            self.workers.train(key, saves)

    @precondition(lambda self: self.workers.engines)
    @rule(data=st.data(), outcome=st.sampled_from(["succeeded", "failed", "fenced"]))
    def end(self, data: st.DataObject, outcome: Outcome) -> None:
        self.workers.end(self._draw_engine(data), outcome)

    @precondition(lambda self: self.workers.engines)
    @rule(data=st.data())
    def speak(self, data: st.DataObject) -> None:
        self.workers.speak(self._draw_engine(data))

    @rule(host=st.sampled_from(HOSTS))
    def greet(self, host: str) -> None:
        self.workers.greet(host)

    @rule(seconds=st.sampled_from([1.0, LEASE_S + 1.0]))
    def all_goes_well_for_a_round(self, seconds: float) -> None:
        """Brings jobs far enough, by the shortest way, for the other rules to do harm."""
        self.tick()
        self._take_all_wake_ups()
        for key in list(self.workers.engines):
            self.workers.train(key, saves=False)
            self.workers.speak(key)
        for host in HOSTS:
            self.workers.greet(host)
        self.ingest(again=False)
        self.now += seconds

    # What goes wrong.

    @precondition(lambda self: self.bus.wake_ups)
    @rule()
    def lose_wake_ups(self) -> None:
        self.bus.wake_ups.clear()

    @rule(host=st.sampled_from(HOSTS))
    def lose_host(self, host: str) -> None:
        self.workers.lose_host(host)

    @rule(host=st.sampled_from(HOSTS))
    def lose_host_until_it_is_noticed(self, host: str) -> None:
        self.workers.lose_host(host)
        self.now += LEASE_S + 1.0
        self.tick()

    @rule()
    def lose_bus(self) -> None:
        self.workers.lose_bus()

    # What must hold at every moment.

    @invariant()
    def devices_are_held_by_live_jobs_alone_and_never_twice(self) -> None:
        query = select(AttemptRow.job_id, AttemptRow.host, AttemptRow.num_devices).where(AttemptRow.ended_at.is_(None))
        with self.database.reading() as session:
            live = session.execute(query).all()
            states = _states(session)
        for host in HOSTS:
            assert sum(attempt.num_devices for attempt in live if attempt.host == host) <= NUM_DEVICES
        holders = [attempt.job_id for attempt in live]
        assert sorted(holders) == sorted(job_id for job_id, state in states.items() if state in HOLDS_DEVICES)

    def _draw_engine(self, data: st.DataObject) -> Key:
        return data.draw(st.sampled_from(sorted(self.workers.engines)))

    def _states(self) -> dict[str, str]:
        with self.database.reading() as session:
            return _states(session)

    def _unfinished(self) -> dict[str, str]:
        return {job_id: state for job_id, state in self._states().items() if state not in FINAL}

    def _quiet_round(self) -> None:
        for key in self.workers.engines:
            self.workers.end(key, "succeeded")
        self.all_goes_well_for_a_round(2.0)

    def _take_all_wake_ups(self) -> None:
        for dispatch in self.bus.wake_ups:
            self.workers.take(dispatch)
        self.bus.wake_ups.clear()

    def _check_ends(self) -> None:
        with self.database.reading() as session:
            for job in session.scalars(select(JobRow)):
                history = list(
                    session.scalars(
                        select(TransitionRow).where(TransitionRow.job_id == job.id).order_by(TransitionRow.id)
                    )
                )
                self._check_history(job, history)
                self._check_events(_stored_events(session, job.id))

    def _check_history(self, job: JobRow, history: list[TransitionRow]) -> None:
        """A line that leaves the state as it was is a wish. Nothing but a retry leads out of a final state."""
        changes = [(step.from_state, step.to_state) for step in history if step.from_state != step.to_state]
        assert all(is_allowed(JobState(before), JobState(after)) for before, after in changes)
        assert all(earlier[1] == later[0] for earlier, later in pairwise(changes))
        num_ends = sum(after in FINAL for _, after in changes)
        num_retries = sum(line.why.startswith("retry was asked for") for line in history)
        assert num_ends == 1 + sum(before in FINAL for before, _ in changes) <= 1 + num_retries
        told = self.workers.told.get((job.id, job.attempt))
        if job.state == "cancelled":
            assert job.id in self.cancelled
        elif told != job.state:
            assert job.state == "failed" and job.fault is not None and job.fault["code"] in RETRIED

    def _check_events(self, events: list[tuple[int, int]]) -> None:
        """(attempt, seq) in the order of the feed: attempt after attempt, and none missing in between."""
        assert events == sorted(events)
        for attempt in {number for number, _ in events}:
            seqs = [seq for number, seq in events if number == attempt]
            assert seqs == list(range(1, len(seqs) + 1))


def _states(session: Session) -> dict[str, str]:
    return {row.id: row.state for row in session.execute(select(JobRow.id, JobRow.state))}


def _stored_events(session: Session, job_id: str) -> list[tuple[int, int]]:
    query = select(EventRow.attempt, EventRow.seq).where(EventRow.job_id == job_id, EventRow.seq.is_not(None))
    return [(attempt, seq or 0) for attempt, seq in session.execute(query.order_by(EventRow.id))]


def try_schedules(number: int, seed: int) -> None:
    """Raises what the first schedule found that does not hold, with its shortest form."""
    bounds = settings(
        max_examples=number,
        stateful_step_count=25,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(hypothesis.seed(seed)(AnySchedule), settings=bounds)
