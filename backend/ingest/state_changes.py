"""The changes of state and the alerts that a batch of messages brings, for all its jobs together.

A change is three rows and a look at what else the job has held, so one after the other they would take as long as all
else that ingest does. A job that begins does so before its messages are gone through; all other changes come after
everything that the batch stores, in the order of a job's way: alerts, the first step, the end.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from backend.alerts import triggers
from backend.alerts.metric_rules import Change
from backend.db.tables.hosts import HostRow
from backend.ingest import endings
from backend.ingest.attempt_devices import note_devices
from backend.ingest.live import AttemptKey, LiveAttempt, mapped
from backend.jobs.transitions import transition_all
from tunedeck.bus import ExitReport
from tunedeck.lifecycle import JobState
from tunedeck.retries import RetryPolicy

WHO = "worker"


def start_all(session: Session, placed: Sequence[LiveAttempt], now: float) -> None:
    """Their workers have begun. The job is `starting` afterwards, also in `placed`."""
    rows = mapped(session, placed)
    hosts = session.scalars(select(HostRow).where(HostRow.name.in_({each.host for each in placed}))).all()
    by_name = {host.name: host for host in hosts}
    begun = []
    for each in placed:
        job, attempt = rows[each.job_id, each.number]
        note_devices(job, attempt, by_name.get(attempt.host))
        job.heard_at = now
        begun.append((job, f"{attempt.host} has begun"))
        each.job.state, each.job.heard_at, each.memory_bytes = JobState.STARTING, now, attempt.memory_bytes
    transition_all(session, begun, JobState.STARTING, WHO, now)


class StateChanges:
    """Noted while messages are gone through, and made by `make`."""

    def __init__(self) -> None:
        self._live: dict[AttemptKey, LiveAttempt] = {}
        self._alerts: list[tuple[AttemptKey, Sequence[Change]]] = []
        self._trains: list[AttemptKey] = []
        self._ends: list[tuple[AttemptKey, ExitReport]] = []

    def alert(self, attempt: LiveAttempt, changes: Sequence[Change]) -> None:
        self._alerts.append((self._note(attempt), changes))

    def train(self, attempt: LiveAttempt) -> None:
        """The first step is done."""
        attempt.job.state = JobState.RUNNING
        self._trains.append(self._note(attempt))

    def end(self, attempt: LiveAttempt, report: ExitReport) -> None:
        self._ends.append((self._note(attempt), report))

    def make(self, session: Session, policy: RetryPolicy, now: float) -> None:
        """Everything else of the batch must have been written."""
        rows = mapped(session, self._live.values())
        for key, changes in self._alerts:
            triggers.tell(session, rows[key][0], changes, now)
        trains = [(rows[key][0], "the first step is done") for key in self._trains]
        transition_all(session, trains, JobState.RUNNING, WHO, now)
        endings.end_all(session, [(*rows[key], report) for key, report in self._ends], policy, now)

    def _note(self, attempt: LiveAttempt) -> AttemptKey:
        key = (attempt.job_id, attempt.number)
        self._live[key] = attempt
        return key
