"""One round: read, store in one transaction, and only after the commit remove from the bus.

A batch that the database refuses is tried again message by message, and only the message at fault is left out: one bad
message must not stop everybody's. A database that is away is no fault of a message; then everything waits.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

import redis

from backend.db.database import Database
from backend.ingest.announcements import Announcements
from backend.ingest.batch import Batch, read
from backend.ingest.hearing import Hearing
from backend.ingest.live import AttemptKey
from backend.ingest.stream import BLOCK_S, Entries, EventStream
from backend.scheduler.leadership import Leadership
from tunedeck.bus import BusMessage
from tunedeck.errors import Unavailable
from tunedeck.settings import Settings

log = logging.getLogger(__name__)

# How often an idle backend looks whether it has become the leader, in seconds.
IDLE_S = 0.25
# What comes within this time shares a transaction, in seconds: many small ones take time from training on a laptop.
LINGER_S = 0.03
# The same while nobody listens to the feed, and how often to look whether that still holds.
UNWATCHED_LINGER_S = 1.0
UNWATCHED_LOOK_S = 0.25


class NoLongerLeader(Exception):
    """Another backend took over between the read and the write; nothing was written."""


class Ingest:
    def __init__(
        self,
        settings: Settings,
        database: Database,
        bus: redis.Redis,
        leadership: Leadership,
        wake_feed: Callable[[], None],
        wake_scheduler: Callable[[], None],
        is_watched: Callable[[], bool],
    ) -> None:
        self.lag_s = 0.0
        self.num_dropped = 0
        self._settings = settings
        self._database = database
        self._leadership = leadership
        self._wake_feed = wake_feed
        self._wake_scheduler = wake_scheduler
        self._is_watched = is_watched
        self._stream = EventStream(bus)
        self._announcements = Announcements(is_watched)
        self.hearing = Hearing(settings.lease_s)
        self._complained: set[AttemptKey] = set()

    def round(self) -> None:
        """Blocks for about a second at most. May raise redis.RedisError or Unavailable; nothing is lost then."""
        if not self._leadership.is_held():
            self._forget()
            time.sleep(IDLE_S)
            return
        try:
            entries = self._read()
            self._store(entries.messages)
            if entries.last_id:
                self._stream.remove_up_to(entries.last_id)
        except NoLongerLeader:
            self._forget()
            return
        except BaseException:
            self._forget()
            raise
        self.lag_s = entries.age_s()
        if entries.messages and not entries.is_full:
            time.sleep(LINGER_S)
        if entries.is_full:
            self.hearing.interrupt()
        else:
            self.hearing.all_is_stored()

    def _read(self) -> Entries:
        """What the bus holds. What only a chart or a log would show may gather for a while that nobody looks at one."""
        entries = self._ask(BLOCK_S)
        while entries.is_full and entries.has_room:
            entries += self._ask(0.0)
        deadline = time.monotonic() + UNWATCHED_LINGER_S
        while entries.may_wait and time.monotonic() < deadline and not self._is_watched():
            time.sleep(UNWATCHED_LOOK_S)
            entries += self._ask(0.0)
        return entries

    def _ask(self, patience_s: float) -> Entries:
        with self.hearing.asking(patience_s):
            return self._stream.read(patience_s)

    def _forget(self) -> None:
        self._stream.rewind()
        self.hearing.interrupt()

    def _store(self, messages: tuple[BusMessage, ...]) -> None:
        if not messages and not self._announcements.are_due():
            return
        try:
            self._commit(messages)
        except (Unavailable, NoLongerLeader):
            raise
        except Exception:
            if len(messages) == 1:
                log.exception("a message that cannot be stored is left out: %.2000s", messages[0])
                return
            if not messages:
                raise
            for message in messages:
                self._store((message,))

    def _commit(self, messages: tuple[BusMessage, ...]) -> None:
        heard = read(messages)
        with self._database.writing() as session:
            if not self._leadership.holds(session):
                raise NoLongerLeader
            batch = Batch(session, self._settings, heard, time.time())
            batch.apply()
            announced = self._announcements.write(session, batch)
        self._announcements.remember(announced, batch)
        self._complain(batch.dropped)
        self._wake_feed()
        if batch.frees_or_offers_devices:
            self._wake_scheduler()

    def _complain(self, dropped: list[AttemptKey]) -> None:
        self.num_dropped += len(dropped)
        for job_id, attempt in set(dropped) - self._complained:
            log.warning("messages of attempt %d of job %s are dropped: it is over or unknown", attempt, job_id)
        self._complained.update(dropped)
