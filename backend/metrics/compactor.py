"""Moves finished points out of the feed: a thousand rows of JSON become one chunk of numbers for each metric.

A row a point was rejected as the form to keep: a series of 100,000 points then takes 67 ms to read instead of 1 ms. A
listener that was away may still want the newest rows one by one, so a point stays a row for SETTLE_S at least.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from sqlalchemy.orm import Session

from backend.db.database import Database
from backend.db.tables.events import EventRow
from backend.db.tables.jobs import AttemptRow
from backend.db.tables.metrics import MetricOutlineRow
from backend.metrics import points, queries
from backend.metrics.outlines import outline_of, packed
from backend.metrics.points import CHUNK_POINTS
from backend.scheduler.leadership import Leadership

COMPACT_EVERY_S = 2.0
SETTLE_S = 30.0


class Compactor:
    def __init__(self, database: Database, leadership: Leadership) -> None:
        self._database = database
        self._leadership = leadership
        self._looked_at_ends_since = 0.0

    def compact(self) -> None:
        """Compact every attempt that runs or has ended since the last call."""
        if not self._leadership.is_held():
            return
        before = time.time() - SETTLE_S
        with self._database.reading() as session:
            # After a start these are all that ever were; a transaction each would keep others from writing for long.
            attempts = queries.attempts_to_compact(session, self._looked_at_ends_since, before)
        for attempt in attempts:
            while self._compact_stretch(attempt, before):
                pass
            self._forget_views(attempt, before)
        # An end that was too fresh this time is looked at again next time.
        self._looked_at_ends_since = before - SETTLE_S

    def _compact_stretch(self, attempt: AttemptRow, before: float) -> bool:
        """Whether a whole stretch was there and is compacted: then there may be another one."""
        with self._database.reading() as session:
            num_rows = queries.num_steps_to_compact(session, attempt, before, CHUNK_POINTS)
        is_over = attempt.ended_at is not None and attempt.ended_at < before
        if num_rows == 0 or (num_rows < CHUNK_POINTS and not is_over):
            return False
        with self._database.writing() as session:
            if not self._leadership.holds(session):
                return False
            rows = queries.steps_to_compact(session, attempt, before, CHUNK_POINTS)
            compact_rows(session, attempt, rows)
        return num_rows == CHUNK_POINTS

    def _forget_views(self, attempt: AttemptRow, before: float) -> None:
        """Of the `job` events that were sent each second only the newest says anything."""
        with self._database.writing() as session:
            if self._leadership.holds(session):
                queries.delete_superseded_views(session, attempt.job_id, before)


def compact_rows(session: Session, attempt: AttemptRow, rows: Sequence[EventRow]) -> None:
    """Replace step events by one chunk for each metric, with its outline."""
    events = ((row.step or 0, row.t, row.payload["metrics"]) for row in rows)
    last_event_id = max(row.id for row in rows)
    by_metric = points.of_events(events)
    chunks = [
        points.chunk_of(attempt.job_id, attempt.number, metric, series, last_event_id)
        for metric, series in by_metric.items()
    ]
    session.add_all(chunks)
    session.flush()  # gives them their ids
    session.add_all(
        MetricOutlineRow(chunk_id=chunk.id, points=packed(outline_of(series)))
        for chunk, series in zip(chunks, by_metric.values(), strict=True)
    )
    queries.delete_events(session, [row.id for row in rows])
