"""Which of several backend processes schedules and ingests: the one that holds the lease in the `leaders` table.

A lock on the bus was rejected: what is protected is the database, and only the database can check a holder in the same
transaction as the write. `holds` therefore locks the row, so that two leaders cannot both write even where one was
suspended for longer than its lease.

Who waits for the lead takes it when the lease is over by his wall clock, or when he has seen the row unchanged for a
whole lease by his monotonic one: a backend that died after its clock was set back by an hour does not lead that long.
He looks often and without a lock, so that the service stands still for little more than the lease.
"""

from __future__ import annotations

import logging
import os
import socket
import time
import uuid

from sqlalchemy import select
from sqlalchemy.orm import Session

from backend.db.database import Database
from backend.db.tables.leaders import LeaderRow

log = logging.getLogger(__name__)

ROLE = "scheduler"
LEASE_S = 3.0
RENEWAL_S = 1.0
LOOK_S = 0.2


class Leadership:
    def __init__(self, database: Database, lease_s: float = LEASE_S) -> None:
        # Read by people: which process it is. The rest tells apart two with the same number on hosts of the same name.
        self.holder = f"{socket.gethostname()[:24]}/{os.getpid()}/{uuid.uuid4().hex[:16]}"
        self._database = database
        self._lease_s = lease_s
        self._held_until = 0.0
        self._seen: tuple[str, float] | None = None
        self._seen_at = 0.0

    def keep(self) -> None:
        """Call every LOOK_S: renews what is ours once in RENEWAL_S, and takes what is another's once it is free."""
        if self.is_held():
            is_due = time.monotonic() >= self._held_until - self._lease_s + RENEWAL_S
        else:
            is_due = self._seems_free()
        if is_due:
            self.renew()

    def renew(self) -> None:
        """Take the lease if it is free, keep it if it is ours."""
        asked_at = time.monotonic()
        now = time.time()
        with self._database.writing() as session:
            row = _locked_row(session)
            if row is None:
                row = LeaderRow(role=ROLE, holder=self.holder, expires_at=0.0)
                session.add(row)
            won = row.holder == self.holder or self._is_free(row, now, asked_at)
            if won:
                row.holder, row.expires_at = self.holder, now + self._lease_s
        self._remember(won, asked_at)

    def is_held(self) -> bool:
        """Whether we were the leader a moment ago: a reason to begin work, not yet the right to write."""
        return time.monotonic() < self._held_until

    def holds(self, session: Session) -> bool:
        """Whether we are the leader until the end of this writing transaction."""
        row = _locked_row(session)
        return row is not None and row.holder == self.holder

    def resign(self) -> None:
        """Let the next backend take over at once instead of after the lease."""
        self._held_until = 0.0
        with self._database.writing() as session:
            row = _locked_row(session)
            if row is not None and row.holder == self.holder:
                row.expires_at = 0.0

    def _seems_free(self) -> bool:
        with self._database.reading() as session:
            row = session.get(LeaderRow, ROLE)
            return row is None or row.holder == self.holder or self._is_free(row, time.time(), time.monotonic())

    def _is_free(self, row: LeaderRow, wall_s: float, steady_s: float) -> bool:
        """Whether the holder has resigned, or has not renewed it for a lease."""
        if (row.holder, row.expires_at) != self._seen:
            self._seen, self._seen_at = (row.holder, row.expires_at), steady_s
        return row.expires_at <= wall_s or steady_s - self._seen_at >= self._lease_s

    def _remember(self, won: bool, asked_at: float) -> None:
        if won != self.is_held():
            log.info("this backend %s the scheduler", "is now" if won else "is not")
        self._held_until = asked_at + self._lease_s if won else 0.0


def _locked_row(session: Session) -> LeaderRow | None:
    return session.scalars(select(LeaderRow).where(LeaderRow.role == ROLE).with_for_update()).one_or_none()
