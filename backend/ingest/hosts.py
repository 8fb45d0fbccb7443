"""Keeps the table of hosts as their workers describe them, and says when there is something new for the scheduler.

A worker says hello every few seconds. To wake the scheduler each time was what it did at first: two hundred hosts then
made it plan a hundred times a second.
"""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import select
from sqlalchemy.orm import Session

from backend.db.tables.hosts import HostRow
from backend.ingest.progress import Progress
from tunedeck.bus import HelloMessage


class Hosts:
    """The hosts that say hello in one batch of messages. `has_news`: one is new, is back, or describes itself anew."""

    def __init__(
        self, session: Session, names: Collection[str], now: float, lease_s: float, progress: Progress
    ) -> None:
        self.has_news = False
        self._session = session
        self._now = now
        self._progress = progress
        self._silent_before = now - lease_s
        found = session.scalars(select(HostRow).where(HostRow.name.in_(names))) if names else ()
        self._rows = {row.name: row for row in found}

    def hear(self, message: HelloMessage) -> None:
        facts = message.facts.model_dump(mode="json")
        row = self._rows.get(message.facts.name)
        if row is None:
            self._add(message, facts)
            return
        if row.last_seen_at < self._silent_before:
            self.has_news = True
        if row.facts != facts:
            self.has_news = True
            row.facts, row.num_devices = facts, len(message.facts.devices)
        self._progress.of_host(row, self._now)

    def _add(self, message: HelloMessage, facts: dict[str, object]) -> None:
        self.has_news = True
        row = HostRow(
            name=message.facts.name, facts=facts, num_devices=len(message.facts.devices), last_seen_at=self._now
        )
        self._session.add(row)
        self._session.flush()  # what is said of its devices refers to it
        self._rows[row.name] = row
