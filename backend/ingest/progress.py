"""What changes with every message, and is written once a batch: how far jobs are, until when leases last, how much of
an attempt is stored.

As changes of mapped objects they cost an UPDATE for each job and each attempt, which was most of what ingest did. The
objects show the new values at once; the rows do when `write` is called, in the same transaction.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

from sqlalchemy import Table
from sqlalchemy.orm import Session
from sqlalchemy.orm.attributes import set_committed_value

from backend.db.many_rows import update_many
from backend.db.tables.hosts import HostRow
from backend.db.tables.jobs import AttemptRow, JobRow

JOBS = cast(Table, JobRow.__table__)
ATTEMPTS = cast(Table, AttemptRow.__table__)
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
        self._jobs: dict[str, JobRow] = {}
        self._attempts: dict[tuple[str, int], AttemptRow] = {}
        self._hosts: dict[str, HostRow] = {}

    def of_job(self, job: JobRow, **columns: Any) -> None:
        """Any of those above but the id."""
        _show(job, **columns)
        self._jobs[job.id] = job

    def of_attempt(self, attempt: AttemptRow, **columns: float) -> None:
        """Any of lease_expires_at (unix seconds), ingested_seq and ingested_line."""
        _show(attempt, **columns)
        self._attempts[attempt.job_id, attempt.number] = attempt

    def of_host(self, host: HostRow, last_seen_at: float) -> None:
        """A unix time in seconds."""
        _show(host, last_seen_at=last_seen_at)
        self._hosts[host.name] = host

    def write(self, session: Session) -> None:
        session.flush()  # a host that is new
        update_many(session, JOBS, _values(self._jobs.values(), _OF_JOB))
        update_many(session, ATTEMPTS, _values(self._attempts.values(), _OF_ATTEMPT))
        update_many(session, HOSTS, _values(self._hosts.values(), _OF_HOST))


def _show(row: JobRow | AttemptRow | HostRow, **columns: Any) -> None:
    """Not as a change, which the session would write as well."""
    for name, value in columns.items():
        set_committed_value(row, name, value)


def _values(rows: Iterable[JobRow | AttemptRow | HostRow], names: tuple[str, ...]) -> list[dict[str, Any]]:
    return [{name: getattr(row, name) for name in names} for row in rows]
