"""One fault, tried once: a job trains, the fault comes, the job gets on, the job ends, and everything is looked at.

Recovery is counted from the moment at which the service can do something about it (the fault itself, where others have
to take over; its end, where something was away). It lasts until a worker has begun the next attempt, where the fault
ends one; else until the database holds a step that was trained after that moment; and never longer than the job. How
long an engine takes from its start to its first step is the engine's own matter.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import func, select

from backend.db.tables.events import EventRow
from backend.db.tables.jobs import AttemptRow, JobRow
from backend.scheduler.dispatch import Dispatcher
from backend.scheduler.placement import Dispatch
from tests.chaos.engine import STEP_S
from tests.chaos.invariants import Findings, findings_of, written_events
from tests.chaos.service import LEASE_S, Member, Service
from tests.support.waiting import wait_for
from tunedeck.bus import RunAttempt
from tunedeck.lifecycle import FINAL, JobState
from tunedeck.resolved import ResolvedSpec
from tunedeck.run_folder import RunFolder

# Steps that may still be trained, and stored, by what the fault has hit already.
_STILL_UNDER_WAY = 4
_HAS_BEGUN = (JobState.STARTING, JobState.RUNNING)


@dataclass(frozen=True, eq=False)
class Fault:
    """`inject` makes it, `heal` ends it `lasts_s` seconds later, or once the job has recovered without (`outlived`).

    `ends`: the states in which the job may end. `spares_engine`: nothing happens to the engine, so that nothing but a
    mistake would begin another attempt. `goal_s` is for the recovery. `needs`: whether a
    service can be hit by it at all. `prepare`: what has to be there before the job is.
    """

    name: str
    inject: Callable[[Trial], None]
    heal: Callable[[Trial], None] = lambda trial: None
    lasts_s: float = 0.0
    outlived: bool = False
    num_processes: int = 1
    spec: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    ends: frozenset[JobState] = frozenset({JobState.SUCCEEDED})
    spares_engine: bool = False
    goal_s: float = LEASE_S + 5.0
    needs: Callable[[Service], bool] = lambda service: True
    prepare: Callable[[Service], object] = lambda service: None

    @property
    def num_steps(self) -> int:
        """Enough for the engine to be at work still when the fault is over."""
        return 40 + round((self.lasts_s + 1.0) / STEP_S)


@dataclass(frozen=True)
class Result:
    """`is_whole`: the service can be used for the next trial."""

    recovery_s: float
    findings: Findings
    is_whole: bool = True


class Trial:
    """A running job, what it runs on, and where it stood when the fault came."""

    def __init__(self, service: Service, job_id: str) -> None:
        """The job must be running."""
        self.service = service
        self.job_id = job_id
        self.job_ids = [job_id]
        with service.database.reading() as session:
            self.attempt = session.get_one(JobRow, job_id).attempt
            self.host = session.get_one(AttemptRow, (job_id, self.attempt)).host

    def job(self) -> JobRow:
        with self.service.database.reading() as session:
            return session.get_one(JobRow, self.job_id)

    @property
    def folder(self) -> RunFolder:
        return RunFolder.of(self.service.settings.data_dir, self.job_id, self.attempt)

    @property
    def worker(self) -> Member:
        """The one that had the job when the fault came."""
        return self.service.workers[self.host]

    def last_step(self) -> int:
        """That the engine has written down."""
        steps = [event["step"] for event in written_events(self.folder) if event["kind"] == "step"]
        return max(steps, default=0)

    def stored_position(self) -> tuple[int, int]:
        return stored_position(self.service, self.job_id)

    @property
    def other_worker(self) -> Member:
        return next(worker for host, worker in self.service.workers.items() if host != self.host)

    def look_at_another_job(self) -> None:
        """Submit one, which the other worker gets, and go on with it."""
        self.job_id = self.service.submit(num_steps=60)
        self.job_ids.append(self.job_id)
        wait_for(lambda: self.job().attempt == 1, "the other job is placed")
        self.attempt, self.host = 0, next(host for host in self.service.workers if host != self.host)

    def send_wake_up(self, host: str) -> None:
        """Once more, as a bus that doubles its messages does."""
        with self.service.database.reading() as session:
            attempt = session.get_one(AttemptRow, (self.job_id, self.attempt))
        spec = ResolvedSpec.model_validate(self.job().resolved)
        order = RunAttempt(job_id=self.job_id, attempt=attempt.number, spec=spec, resume_from=attempt.resume_from)
        dispatcher = Dispatcher(self.service.settings.resolved_redis_url())
        dispatcher.send(Dispatch(host, order))
        dispatcher.close()

    def has_ended(self) -> bool:
        return self.job().state in FINAL

    def have_all_ended(self) -> bool:
        """Every job that was submitted, also one that is not looked at any more."""
        with self.service.database.reading() as session:
            return all(session.get_one(JobRow, job_id).state in FINAL for job_id in self.job_ids)


def run(service: Service, fault: Fault) -> Result:
    """What is waited for in vain is a finding too, not the end of the suite."""
    begin = time.monotonic()
    try:
        return _run(service, fault)
    except AssertionError as vain:
        return Result(time.monotonic() - begin, Findings(0, 0, (str(vain),)), is_whole=False)


def _run(service: Service, fault: Fault) -> Result:
    fault.prepare(service)
    job_id = service.submit(fault.num_steps, fault.num_processes, **fault.spec)
    wait_for(lambda: stored_position(service, job_id) >= (1, 12), "a first checkpoint, and steps behind it")
    trial = Trial(service, job_id)
    fault.inject(trial)
    try:
        if not fault.outlived:
            time.sleep(fault.lasts_s)
            fault.heal(trial)
        recovery_s = _recovery_s(trial, fault)
    finally:
        if fault.outlived:
            fault.heal(trial)
    wait_for(trial.have_all_ended, f"the end of every job after: {fault.name}")
    most = 1 if fault.spares_engine else 9
    found = [findings_of(service, submitted, fault.ends, max_attempts=most) for submitted in trial.job_ids]
    for submitted in trial.job_ids:
        service.forget(submitted)
    return Result(recovery_s, sum(found[1:], found[0]))


def _recovery_s(trial: Trial, fault: Fault) -> float:
    begin = time.monotonic()
    step = trial.last_step() + _STILL_UNDER_WAY

    def has_recovered() -> bool:
        if fault.spares_engine:
            return trial.stored_position() > (trial.attempt, step)
        return trial.job().attempt > trial.attempt and trial.job().state in _HAS_BEGUN

    wait_for(lambda: trial.has_ended() or has_recovered(), f"recovery after: {fault.name}")
    return time.monotonic() - begin


def stored_position(service: Service, job_id: str) -> tuple[int, int]:
    """The newest attempt of which a step is stored, and that step."""
    query = select(EventRow.attempt, func.max(EventRow.step)).where(EventRow.job_id == job_id, EventRow.kind == "step")
    with service.database.reading() as session:
        found = session.execute(query.group_by(EventRow.attempt).order_by(EventRow.attempt.desc())).first()
    return (0, 0) if found is None else (found[0], found[1])
