"""What messages change of jobs, attempts and hosts, written once a batch: how far jobs are, until when leases last, how
much of an attempt is stored.

An UPDATE for each job and each attempt was most of what ingest did. The plain values of live.py show what is new at
once; the rows do when `write` is called, in the same transaction.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any, cast

from sqlalchemy import Table
from sqlalchemy.orm import Session
from sqlalchemy.orm.attributes import set_committed_value

from backend.db.many_rows import update_many
from backend.db.tables.hosts import HostRow
from backend.ingest.live import ATTEMPTS, JOBS, LiveAttempt, LiveJob

HOSTS = cast(Table, HostRow.__table__)

_OF_JOB = (
    *("id", "step", "latest", "step_time_ema_s"),
    *("num_tokens", "num_trained_tokens", "heard_at", "watch", "loss_curve"),
)
_OF_ATTEMPT = ("job_id", "number", "lease_expires_at", "ingested_seq", "ingested_line")
_OF_HOST = ("name", "last_seen_at")


class Progress:
    """The rows whose newest values are to be written."""

    def __init__(self) -> None:
        self._jobs: dict[str, LiveJob] = {}
        self._seldom: dict[str, dict[str, Any]] = defaultdict(dict)
        self._attempts: dict[tuple[str, int], LiveAttempt] = {}
        self._hosts: dict[str, HostRow] = {}

    def of_job(self, job: LiveJob, **columns: Any) -> None:
        """Any of those above but the id."""
        _show(job, **columns)
        self._jobs[job.id] = job

    def seldom_of_job(self, job: LiveJob, **columns: Any) -> None:
        """Any other column of JobRow but the state."""
        _show(job, **{name: value for name, value in columns.items() if name in LiveJob.__slots__})
        self._seldom[job.id].update(columns)

    def of_attempt(self, attempt: LiveAttempt, **columns: float) -> None:
        """Any of lease_expires_at (unix seconds), ingested_seq and ingested_line."""
        _show(attempt, **columns)
        self._attempts[attempt.job_id, attempt.number] = attempt

    def of_host(self, host: HostRow, last_seen_at: float) -> None:
        """A unix time in seconds."""
        set_committed_value(host, "last_seen_at", last_seen_at)  # not as a change, which the session would write too
        self._hosts[host.name] = host

    def write(self, session: Session) -> None:
        session.flush()  # a host that is new
        update_many(session, JOBS, _values(self._jobs.values(), _OF_JOB))
        update_many(session, ATTEMPTS, _values(self._attempts.values(), _OF_ATTEMPT))
        update_many(session, HOSTS, _values(self._hosts.values(), _OF_HOST))
        for rows in self._seldom_alike():
            update_many(session, JOBS, rows)

    def _seldom_alike(self) -> Iterable[list[dict[str, Any]]]:
        """Rows with the same columns together."""
        alike: dict[tuple[str, ...], list[dict[str, Any]]] = defaultdict(list)
        for job_id, columns in self._seldom.items():
            names = tuple(sorted(columns))
            alike[names].append({"id": job_id} | {name: columns[name] for name in names})
        return alike.values()


def _show(row: LiveJob | LiveAttempt, **columns: Any) -> None:
    for name, value in columns.items():
        setattr(row, name, value)


def _values(rows: Iterable[LiveJob | LiveAttempt | HostRow], names: tuple[str, ...]) -> list[dict[str, Any]]:
    return [{name: getattr(row, name) for name in names} for row in rows]
