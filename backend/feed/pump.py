"""Reads new rows of the feed and publishes them. One pump in each backend process, whoever is the leader.

The database is read instead of being told by ingest, so that what is streamed is what is committed, and so that the
streams of a second backend hear the same. It is woken after each commit of this process; for commits of others it looks
again a few times a second.
"""

from __future__ import annotations

import time

from sqlalchemy.orm import Session

from backend.db.database import Database
from backend.feed import message, queries
from backend.feed.hub import Hub
from backend.feed.message import Message
from backend.logs.queries import lines as lines_of

LOOK_AGAIN_S = 0.25
MOST_ROWS = 1_000
# A log chunk has at most 500 lines; a listener that was away fetches the rest over REST.
MOST_LOG_LINES = 1_000
ENDED_RECENTLY_S = 30.0


class Pump:
    """Publishes what is committed after it was made."""

    def __init__(self, database: Database, hub: Hub) -> None:
        self._database = database
        self._hub = hub
        with database.reading() as session:
            self._heights = queries.heights(session)
            self._last_id, _ = self._heights
            self._last_lines = queries.log_positions(session, time.time())

    def pump(self) -> None:
        """Publish everything that was committed since the last call. Almost free where there was nothing."""
        with self._database.reading() as session:
            heights = queries.heights(session)
            if heights == self._heights:
                return
            # Only now: who begins to listen after this look replays from the database what is skipped here.
            if not self._hub.num_listeners:
                self._last_id, _ = heights
                self._last_lines = queries.log_positions(session, time.time())
        while self._hub.num_listeners and self._publish_page() == MOST_ROWS:
            pass
        self._heights = heights

    def _publish_page(self) -> int:
        """How many rows there were."""
        with self._database.reading() as session:
            rows = queries.events_after(session, self._last_id, MOST_ROWS, frozenset())
            log_lines = self._new_log_lines(session)
        if rows:
            self._last_id = rows[-1].id
        self._hub.publish([*log_lines, *map(message.of_event, rows)])
        return len(rows)

    def _new_log_lines(self, session: Session) -> list[Message]:
        before = self._last_lines
        self._last_lines = queries.log_positions(session, time.time() - ENDED_RECENTLY_S)
        messages = []
        for (job_id, attempt), last_line in self._last_lines.items():
            first_line = max(before.get((job_id, attempt), 0), last_line - MOST_LOG_LINES) + 1
            if first_line <= last_line:
                lines = lines_of(session, job_id, attempt, first_line, last_line)
                messages.append(message.of_log(job_id, attempt, first_line, list(lines.values())))
        return messages
