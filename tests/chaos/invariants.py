"""What must hold after every fault, seen from outside: in the database, the run folders and the process table."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from backend.db.tables.events import EventRow
from backend.db.tables.jobs import AttemptRow, JobRow, TransitionRow
from tests.chaos.service import Service
from tunedeck.lifecycle import FINAL, JobState
from tunedeck.run_folder import RunFolder

# Processes end, and devices are given back, a moment after the job's end is stored.
_PATIENCE_S = 10.0


@dataclass(frozen=True)
class Findings:
    """`broken`: one sentence for each invariant that does not hold, those about events and double runs included."""

    num_lost_events: int
    num_double_runs: int
    broken: tuple[str, ...]

    def __add__(self, other: Findings) -> Findings:
        return Findings(
            self.num_lost_events + other.num_lost_events,
            self.num_double_runs + other.num_double_runs,
            self.broken + other.broken,
        )


def findings_of(service: Service, job_id: str, allowed_ends: frozenset[JobState], max_attempts: int) -> Findings:
    """Of a job that has ended."""
    with service.database.reading() as session:
        lost = _lost_events(session, service, job_id)
        doubled = _double_runs(session, service, job_id)
        ends = _final_states(session, job_id)
        num_attempts = session.get_one(JobRow, job_id).attempt
    broken = [*lost, *doubled]
    if num_attempts > max_attempts:
        broken.append(f"{num_attempts} attempts, though nothing had happened to the engine")
    if len(ends) != 1 or ends[0] not in allowed_ends:
        broken.append(f"the job ended as {ends}, and not in one of {sorted(allowed_ends)}")
    if not _becomes_true(lambda: not _reserved(service, job_id)):
        broken.append(f"devices stay reserved: {_reserved(service, job_id)}")
    if not _becomes_true(lambda: not service.processes_of(job_id)):
        broken.append(f"processes are left: {service.processes_of(job_id)}")
    return Findings(len(lost), len(doubled), tuple(broken))


def written_events(folder: RunFolder) -> list[dict[str, Any]]:
    """The complete lines of events.jsonl."""
    if not folder.events.exists():
        return []
    *complete, _ = folder.events.read_bytes().split(b"\n")
    return [json.loads(line) for line in complete]


def _lost_events(session: Session, service: Service, job_id: str) -> list[str]:
    """Numbers that are missing below the last that is stored, of each attempt; and, of the attempt that told the end,
    what its file has beyond that."""
    lost = []
    for attempt in _attempts(session, job_id):
        query = select(EventRow.seq).where(EventRow.job_id == job_id, EventRow.attempt == attempt.number)
        stored = {seq for seq in session.scalars(query) if seq is not None}
        last = max(stored, default=0)
        if _told_its_end(session, job_id, attempt):
            last = max(last, _last_written(service, attempt))
        lost += [f"event {seq} of attempt {attempt.number}" for seq in range(1, last + 1) if seq not in stored]
    return lost


def _told_its_end(session: Session, job_id: str, attempt: AttemptRow) -> bool:
    final = select(TransitionRow.who).where(TransitionRow.job_id == job_id, TransitionRow.to_state.in_(FINAL))
    job = session.get_one(JobRow, job_id)
    return attempt.number == job.attempt and session.scalars(final).first() == "worker"


def _last_written(service: Service, attempt: AttemptRow) -> int:
    events = written_events(RunFolder.of(service.settings.data_dir, attempt.job_id, attempt.number))
    return max((event["seq"] for event in events), default=0)


def _double_runs(session: Session, service: Service, job_id: str) -> list[str]:
    doubled = []
    for attempt in _attempts(session, job_id):
        starts = RunFolder.of(service.settings.data_dir, job_id, attempt.number).root / "control" / "starts"
        num_starts = len(starts.read_text().splitlines()) if starts.exists() else 0
        if num_starts > 1:
            doubled.append(f"attempt {attempt.number} was started {num_starts} times")
    spans = session.execute(
        select(EventRow.attempt, func.min(EventRow.id), func.max(EventRow.id))
        .where(EventRow.job_id == job_id, EventRow.seq.is_not(None))
        .group_by(EventRow.attempt)
        .order_by(EventRow.attempt)
    ).all()
    doubled += [
        f"attempts {earlier[0]} and {later[0]} both published"
        for earlier, later in pairwise(spans)
        if earlier[2] > later[1]
    ]
    return doubled


def _final_states(session: Session, job_id: str) -> list[JobState]:
    """A line of the history that leaves the state as it was is a wish, and no end."""
    changes = TransitionRow.from_state != TransitionRow.to_state
    query = select(TransitionRow.to_state).where(TransitionRow.job_id == job_id, changes)
    return [JobState(state) for state in session.scalars(query) if state in FINAL]


def _reserved(service: Service, job_id: str) -> list[str]:
    with service.database.reading() as session:
        return [f"{row.num_devices} of {row.host}" for row in _attempts(session, job_id) if row.ended_at is None]


def _attempts(session: Session, job_id: str) -> list[AttemptRow]:
    query = select(AttemptRow).where(AttemptRow.job_id == job_id).order_by(AttemptRow.number)
    return list(session.scalars(query))


def _becomes_true(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + _PATIENCE_S
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True
