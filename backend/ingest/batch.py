"""Applies messages, in order, inside one writing transaction.

Every message of an attempt is a sign of life and extends its lease. Messages of attempts that are over, or were never
begun, are dropped: that is half of the fencing, the other half is the control record. Everything can be applied twice
with the effect of once, because the stream is trimmed after the commit and may be read again.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, defer

from backend.alerts import rules, triggers
from backend.alerts.rules import Rule
from backend.db.many_rows import insert_new
from backend.db.tables.jobs import AttemptRow, JobRow
from backend.health import conditions
from backend.health.watch import Watch
from backend.ingest import checkpoints, device_faults, endings, lines, log_lines
from backend.ingest.attempt_devices import note_devices
from backend.ingest.hosts import Hosts
from backend.ingest.progress import Progress
from backend.ingest.summary import Summary
from backend.jobs.transitions import EVENTS, transition
from backend.metrics.service import sums_before
from tunedeck.bus import BusMessage, EndedMessage, EventsMessage, HeartbeatMessage, HelloMessage, LogMessage
from tunedeck.events import CheckpointEvent, CheckpointRemovedEvent, Event, PlanEvent, StepEvent
from tunedeck.lifecycle import JobState
from tunedeck.run_folder import RunFolder
from tunedeck.settings import Settings

WHO = "worker"
# By what share of itself a lease may be shorter than it is said to be.
LEASE_SLACK = 0.05
AttemptKey = tuple[str, int]


class Batch:
    """`dropped`, `changed_jobs`, `announced_jobs` and `frees_or_offers_devices` tell the caller what came of it."""

    def __init__(self, session: Session, settings: Settings, messages: tuple[BusMessage, ...], now: float) -> None:
        self.dropped: list[AttemptKey] = []
        self.changed_jobs: dict[str, JobRow] = {}
        self.announced_jobs: set[str] = set()
        self.frees_or_offers_devices = False
        self._session = session
        self._settings = settings
        self._messages = messages
        self._now = now
        self._live = _live_attempts(session, messages)
        greeting = {message.facts.name for message in messages if isinstance(message, HelloMessage)}
        self._progress = Progress()
        self._hosts = Hosts(session, greeting, now, settings.lease_s, self._progress)
        self._faulty = device_faults.known(session, greeting)
        self._rows: list[dict[str, Any]] = []
        self._rules: list[Rule] | None = None

    def apply(self) -> None:
        for message in self._messages:
            if isinstance(message, HelloMessage):
                self._hello(message)
            else:
                self._of_attempt(message)
        self._flush_rows()
        self._progress.write(self._session)

    def _hello(self, message: HelloMessage) -> None:
        self._hosts.hear(message)
        if message.faults or self._faulty:
            device_faults.store(self._session, self._faulty, message.facts.name, message.faults, self._now)
        self.frees_or_offers_devices |= self._hosts.has_news
        for job_id, number in message.attempts:
            if found := self._live.get((job_id, number)):
                self._sign_of_life(*found)

    def _of_attempt(self, message: EventsMessage | LogMessage | HeartbeatMessage | EndedMessage) -> None:
        key = (message.job_id, message.attempt)
        found = self._live.get(key)
        if found is None:
            self.dropped.append(key)
            return
        job, attempt = found
        self._sign_of_life(job, attempt)
        match message:
            case EventsMessage():
                self._events(job, attempt, message)
            case HeartbeatMessage():
                self._phase(job, message)
            case LogMessage():
                log_lines.store(self._session, self._progress, attempt, message)
            case EndedMessage():
                self._flush_rows()
                endings.end(self._session, job, attempt, message.report, self._settings.retry_policy(), self._now)
                self.announced_jobs.add(job.id)
                self.frees_or_offers_devices = True
                del self._live[key]

    def _sign_of_life(self, job: JobRow, attempt: AttemptRow) -> None:
        lease_expires_at = self._now + self._settings.lease_s
        # A lease that was given a moment ago is as good as a new one, and each costs an UPDATE.
        if abs(lease_expires_at - attempt.lease_expires_at) > LEASE_SLACK * self._settings.lease_s:
            self._progress.of_attempt(attempt, lease_expires_at=lease_expires_at)
        if job.state == JobState.PLACING:
            note_devices(self._session, job, attempt)
            job.heard_at = self._now
            self._transition(job, JobState.STARTING, f"{attempt.host} has begun")

    def _phase(self, job: JobRow, message: HeartbeatMessage) -> None:
        """What the launcher waits for. Once it waits no more the engine says its own phases."""
        if message.phase and job.phase != message.phase and job.state == JobState.STARTING:
            job.phase = message.phase
            self.announced_jobs.discard(job.id)
            self.changed_jobs[job.id] = job

    def _events(self, job: JobRow, attempt: AttemptRow, message: EventsMessage) -> None:
        parsed = lines.parse(message, attempt.ingested_seq + 1)
        summary, watch = Summary(job), Watch.of(job.watch)
        has_step = False
        # What lies behind a gap is sent again: sums and the watch take it in only then.
        is_next = parsed.first_seq <= attempt.ingested_seq + 1
        for event in parsed.events:
            if event.seq <= attempt.ingested_seq:
                continue
            has_step = has_step or isinstance(event, StepEvent)
            if isinstance(event, PlanEvent):
                watch = Watch()
                self._begin(attempt, event, summary)
            summary.apply(event)
            if is_next:
                summary.count(event)
                watch.apply(event, attempt.memory_bytes)
            self._keep_checkpoint(attempt, event)
            self._rows.append(_row(message, event))
        summary.store(job, self._progress)
        if parsed.events:
            new = [event for event in parsed.events if is_next and event.seq > attempt.ingested_seq]
            self._judge(job, attempt, watch, new)
        self._progress.of_attempt(attempt, ingested_seq=parsed.contiguous_after(attempt.ingested_seq))
        self.changed_jobs[job.id] = job
        if has_step and job.state == JobState.STARTING:
            self._transition(job, JobState.RUNNING, "the first step is done")

    def _judge(self, job: JobRow, attempt: AttemptRow, watch: Watch, events: Sequence[Event]) -> None:
        """`events` are those that `watch` has taken in."""
        had = conditions.codes(job)
        self._progress.of_job(job, watch=watch.kept(), heard_at=self._now)
        conditions.after_events(job, watch, attempt.memory_bytes)
        if self._rules is None:
            self._rules = rules.enabled(self._session)
        if changes := triggers.changes(self._rules, job, events, had):
            self._flush_rows()
            triggers.tell(self._session, job, changes, self._now)

    def _begin(self, attempt: AttemptRow, plan: PlanEvent, summary: Summary) -> None:
        """What earlier attempts trained before the step that this one begins with still counts."""
        attempt.first_step = plan.first_step
        if plan.first_step > 1:
            self._flush_rows()
        sums = sums_before(self._session, attempt.job_id, ("num_tokens", "num_trained_tokens"), plan.first_step)
        summary.begin_with(*map(int, sums))

    def _keep_checkpoint(self, attempt: AttemptRow, event: Event) -> None:
        if not isinstance(event, CheckpointEvent | CheckpointRemovedEvent):
            return
        run_folder = _run_folder(self._settings, attempt)
        if isinstance(event, CheckpointEvent):
            checkpoints.store(self._session, attempt, run_folder, event)
        else:
            checkpoints.remove(self._session, attempt, run_folder, event)

    def _transition(self, job: JobRow, to: JobState, why: str) -> None:
        self._flush_rows()
        transition(self._session, job, to, WHO, why, self._now)
        self.announced_jobs.add(job.id)

    def _flush_rows(self) -> None:
        """Insert what was collected: before a change of state or an alert, so that the feed tells things in order."""
        insert_new(self._session, EVENTS, self._rows)
        self._rows = []


def _live_attempts(session: Session, messages: tuple[BusMessage, ...]) -> dict[AttemptKey, tuple[JobRow, AttemptRow]]:
    """Those of the messages that may still speak: placed, not ended, and the newest of their job."""
    job_ids: set[str] = set()
    for message in messages:
        if isinstance(message, HelloMessage):
            job_ids.update(job_id for job_id, _ in message.attempts)
        else:
            job_ids.add(message.job_id)
    # Two queries: a join of as many ids is planned wrongly while the tables have grown faster than their statistics.
    attempts = select(AttemptRow).where(AttemptRow.job_id.in_(job_ids), AttemptRow.ended_at.is_(None))
    jobs = select(JobRow).where(JobRow.id.in_(job_ids))
    # What is most of a row, and nothing here looks into.
    jobs = jobs.options(defer(JobRow.spec), defer(JobRow.resolved), defer(JobRow.facts))
    if not job_ids:
        return {}
    by_id = {job.id: job for job in session.scalars(jobs)}
    live = ((by_id[attempt.job_id], attempt) for attempt in session.scalars(attempts))
    return {(job.id, attempt.number): (job, attempt) for job, attempt in live if job.attempt == attempt.number}


def _run_folder(settings: Settings, attempt: AttemptRow) -> Path:
    return RunFolder.of(settings.data_dir.resolve(), attempt.job_id, attempt.number).root


def _row(message: EventsMessage, event: Event) -> dict[str, Any]:
    return {
        "job_id": message.job_id,
        "attempt": message.attempt,
        "seq": event.seq,
        "kind": event.kind,
        "step": getattr(event, "step", None),
        "t": event.t,
        "payload": event.model_dump(mode="json"),
    }
