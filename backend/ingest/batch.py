"""Applies messages, in order, inside one writing transaction.

Every message of an attempt is a sign of life and extends its lease. Messages of attempts that are over, or were never
begun, are dropped: that is half of the fencing, the other half is the control record. Everything can be applied twice
with the effect of once, because the stream is trimmed after the commit and may be read again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from backend.alerts import rules, triggers
from backend.db.many_rows import insert_new, update_many
from backend.health import conditions
from backend.health.watch import Watch
from backend.ingest import checkpoints, device_faults, lines, log_lines
from backend.ingest.hosts import Hosts
from backend.ingest.lines import ParsedLines
from backend.ingest.live import ATTEMPTS, AttemptKey, LiveAttempt, live_attempts
from backend.ingest.progress import Progress
from backend.ingest.state_changes import StateChanges, start_all
from backend.ingest.summary import Summary
from backend.jobs.transitions import EVENTS
from backend.metrics.service import sums_before
from tunedeck.bus import BusMessage, EndedMessage, EventsMessage, HeartbeatMessage, HelloMessage, LogMessage
from tunedeck.events import CheckpointEvent, CheckpointRemovedEvent, Event, PlanEvent, StepEvent
from tunedeck.lifecycle import JobState
from tunedeck.run_folder import RunFolder
from tunedeck.settings import Settings

# By what share of itself a lease may be shorter than it is said to be.
LEASE_SLACK = 0.05


# A message, and what its lines say where it has any of events.jsonl.
Heard = tuple[BusMessage, ParsedLines | None]


def read(messages: Iterable[BusMessage]) -> tuple[Heard, ...]:
    """What is done before the transaction begins, so that nobody waits for it."""
    return tuple((each, lines.parse(each) if isinstance(each, EventsMessage) else None) for each in messages)


class Batch:
    """`dropped`, `changed_jobs`, `announced_jobs` and `frees_or_offers_devices` tell the caller what came of it."""

    def __init__(self, session: Session, settings: Settings, heard: Sequence[Heard], now: float) -> None:
        self.dropped: list[AttemptKey] = []
        self.changed_jobs: set[str] = set()
        self.announced_jobs: set[str] = set()
        self.frees_or_offers_devices = False
        self._session = session
        self._settings = settings
        self._heard = heard
        self._now = now
        speaking = {key for message, _ in heard for key in _attempts_of(message)}
        self._live = live_attempts(session, {job_id for job_id, _ in speaking})
        heard_of = [self._live[key] for key in speaking if key in self._live]
        self._placed = [each for each in heard_of if each.job.state == JobState.PLACING]
        greeting = {message.facts.name for message, _ in heard if isinstance(message, HelloMessage)}
        self._progress = Progress()
        self._changes = StateChanges()
        self._hosts = Hosts(session, greeting, now, settings.lease_s, self._progress)
        self._faulty = device_faults.known(session, greeting)
        self._rows: list[dict[str, Any]] = []

    def apply(self) -> None:
        start_all(self._session, self._placed, self._now)
        self.announced_jobs.update(each.job_id for each in self._placed)
        for message, parsed in self._heard:
            if isinstance(message, HelloMessage):
                self._hello(message)
            else:
                self._of_attempt(message, parsed)
        self._flush_rows()
        self._progress.write(self._session)
        self._changes.make(self._session, self._settings.retry_policy(), self._now)

    def _hello(self, message: HelloMessage) -> None:
        self._hosts.hear(message)
        if message.faults or self._faulty:
            device_faults.store(self._session, self._faulty, message.facts.name, message.faults, self._now)
        self.frees_or_offers_devices |= self._hosts.has_news
        for key in message.attempts:
            if attempt := self._live.get(key):
                self._sign_of_life(attempt)

    def _of_attempt(
        self, message: EventsMessage | LogMessage | HeartbeatMessage | EndedMessage, parsed: ParsedLines | None
    ) -> None:
        key = (message.job_id, message.attempt)
        attempt = self._live.get(key)
        if attempt is None:
            self.dropped.append(key)
            return
        self._sign_of_life(attempt)
        match message:
            case EventsMessage():
                assert parsed is not None, "the lines of such a message have been read"
                self._events(attempt, parsed)
            case HeartbeatMessage():
                self._phase(attempt, message)
            case LogMessage():
                log_lines.store(self._session, self._progress, attempt, message)
            case EndedMessage():
                self._changes.end(attempt, message.report)
                self.announced_jobs.add(attempt.job_id)
                self.frees_or_offers_devices = True
                del self._live[key]

    def _sign_of_life(self, attempt: LiveAttempt) -> None:
        lease_expires_at = self._now + self._settings.lease_s
        # A lease that was given a moment ago is as good as a new one, and each costs an UPDATE.
        if abs(lease_expires_at - attempt.lease_expires_at) > LEASE_SLACK * self._settings.lease_s:
            self._progress.of_attempt(attempt, lease_expires_at=lease_expires_at)

    def _phase(self, attempt: LiveAttempt, message: HeartbeatMessage) -> None:
        """What the launcher waits for. Once it waits no more the engine says its own phases."""
        job = attempt.job
        if message.phase and job.phase != message.phase and job.state == JobState.STARTING:
            self._progress.seldom_of_job(job, phase=message.phase)
            self.announced_jobs.discard(job.id)
            self.changed_jobs.add(job.id)

    def _events(self, attempt: LiveAttempt, parsed: ParsedLines) -> None:
        job, known_seq = attempt.job, attempt.ingested_seq
        summary, watch = Summary(job), Watch.of(job.watch)
        # What lies behind a gap is sent again: sums and the watch take it in only then.
        is_next = parsed.is_next_after(known_seq)
        new = [(event, row) for event, row in zip(parsed.events, parsed.rows, strict=True) if event.seq > known_seq]
        for event, row in new:
            if isinstance(event, PlanEvent):
                watch = Watch()
                self._begin(attempt, event, summary)
            summary.apply(event)
            if is_next:
                summary.count(event)
                watch.apply(event, attempt.memory_bytes)
            self._keep_checkpoint(attempt, event)
            self._rows.append(row)
        summary.store(job, self._progress)
        if parsed.events:
            self._judge(attempt, watch, [event for event, _ in new if is_next])
        self._progress.of_attempt(attempt, ingested_seq=parsed.contiguous_after(known_seq))
        self.changed_jobs.add(job.id)
        if job.state == JobState.STARTING and any(isinstance(event, StepEvent) for event, _ in new):
            self._changes.train(attempt)
            self.announced_jobs.add(job.id)

    def _judge(self, attempt: LiveAttempt, watch: Watch, events: Sequence[Event]) -> None:
        """`events` are those that `watch` has taken in."""
        job = attempt.job
        had, had_conditions, had_alarms = conditions.codes(job), job.conditions, job.rule_alarms
        self._progress.of_job(job, watch=watch.kept(), heard_at=self._now)
        conditions.after_events(job, watch, attempt.memory_bytes)
        changes = triggers.changes(rules.enabled(self._session), job, events, had)
        if job.conditions != had_conditions or job.rule_alarms != had_alarms:
            self._progress.seldom_of_job(job, conditions=job.conditions, rule_alarms=job.rule_alarms)
        if changes:
            self._changes.alert(attempt, changes)

    def _begin(self, attempt: LiveAttempt, plan: PlanEvent, summary: Summary) -> None:
        """What earlier attempts trained before the step that this one begins with still counts."""
        begins = {"job_id": attempt.job_id, "number": attempt.number, "first_step": plan.first_step}
        update_many(self._session, ATTEMPTS, [begins])
        if plan.first_step > 1:
            self._flush_rows()
        sums = sums_before(self._session, attempt.job_id, ("num_tokens", "num_trained_tokens"), plan.first_step)
        summary.begin_with(*map(int, sums))

    def _keep_checkpoint(self, attempt: LiveAttempt, event: Event) -> None:
        if not isinstance(event, CheckpointEvent | CheckpointRemovedEvent):
            return
        run_folder = _run_folder(self._settings, attempt)
        if isinstance(event, CheckpointEvent):
            checkpoints.store(self._session, attempt, run_folder, event)
        else:
            checkpoints.remove(self._session, attempt, run_folder, event)

    def _flush_rows(self) -> None:
        insert_new(self._session, EVENTS, self._rows)
        self._rows = []


def _attempts_of(message: BusMessage) -> Sequence[AttemptKey]:
    """Those that the message is a sign of life of."""
    return message.attempts if isinstance(message, HelloMessage) else ((message.job_id, message.attempt),)


def _run_folder(settings: Settings, attempt: LiveAttempt) -> Path:
    return RunFolder.of(settings.data_dir.resolve(), attempt.job_id, attempt.number).root
