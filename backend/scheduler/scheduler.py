"""One tick: reserve, commit, and only then tell the workers.

What is told is repeated until it shows in the database, so a bus that loses a message, or is away, delays a job and
loses none. Telling first was rejected: a worker could begin an attempt that was then rolled back.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

import redis

from backend.db.database import Database
from backend.scheduler import control, leases, placement
from backend.scheduler.dispatch import Dispatcher
from backend.scheduler.leadership import Leadership
from backend.scheduler.outdated import fail_outdated
from backend.scheduler.placement import Dispatch
from backend.scheduler.situation import Situation, look
from tunedeck.bus import ControlRecord
from tunedeck.settings import Settings

log = logging.getLogger(__name__)

TICK_S = 1.0
MESSAGE_PATIENCE_S = 5.0


class Scheduler:
    def __init__(
        self,
        settings: Settings,
        database: Database,
        bus: redis.Redis,
        leadership: Leadership,
        listening_for_s: Callable[[], float],
    ) -> None:
        """`listening_for_s` says for how long ingest has heard everything without a break, in seconds."""
        self._settings = settings
        self._database = database
        self._bus = bus
        self._leadership = leadership
        self._listening_for_s = listening_for_s
        self._dispatcher = Dispatcher(settings.resolved_redis_url())
        self._has_met_outdated = False

    def tick(self) -> None:
        """May raise redis.RedisError or kombu's OperationalError: what was decided by then stays, and is told later."""
        if not self._leadership.is_held():
            return
        self._bus.ping()  # without the bus nobody would hear of a decision
        now = time.time()
        if not self._has_met_outdated:
            self._has_met_outdated = self._fail_outdated(now)
        situation = self._look()
        dispatches: list[Dispatch] = []
        fences: dict[str, ControlRecord] = {}
        if situation.wants_decision(now, MESSAGE_PATIENCE_S):
            dispatches, fences = self._decide(now)
            situation = self._look()
        control.write(self._bus, fences | control.records_of(situation))
        for dispatch in dispatches:
            self._dispatcher.send(dispatch)

    def close(self) -> None:
        self._dispatcher.close()

    def _fail_outdated(self, now: float) -> bool:
        """Whether it is done; a backend that lost the lead meanwhile leaves it to the one that has it."""
        with self._database.writing() as session:
            if not self._leadership.holds(session):
                return False
            failed = fail_outdated(session, now)
        if failed:
            log.warning("%d jobs of another version cannot be run and have failed: %s", len(failed), ", ".join(failed))
        return True

    def _decide(self, now: float) -> tuple[list[Dispatch], dict[str, ControlRecord]]:
        lease_s = self._settings.lease_s
        with self._database.writing() as session:
            if not self._leadership.holds(session):
                return [], {}
            silence_counts = self._listening_for_s() >= lease_s
            expired = leases.expire(session, now, self._settings.max_attempts) if silence_counts else []
            dispatches = placement.overdue_messages(session, now, MESSAGE_PATIENCE_S)
            dispatches += placement.place_queued(session, now, now - lease_s, lease_s)
        return dispatches, {job_id: control.fence(attempt) for job_id, attempt in expired}

    def _look(self) -> Situation:
        with self._database.reading() as session:
            return look(session)
