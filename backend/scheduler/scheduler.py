"""One tick: reserve, commit, and only then tell the workers.

What is told is repeated until it shows in the database, so a bus that loses a message, or is away, delays a job and
loses none. Telling first was rejected: a worker could begin an attempt that was then rolled back.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence

import redis
from sqlalchemy.orm import Session

from backend.db.database import Database
from backend.ingest.hearing import Hearing
from backend.scheduler import control, leases, placement, queries
from backend.scheduler.control import ControlRecords
from backend.scheduler.dispatch import Dispatcher
from backend.scheduler.leadership import Leadership
from backend.scheduler.outdated import fail_outdated, outdated
from backend.scheduler.placement import Dispatch
from backend.scheduler.plan import NOTHING, Plan
from backend.scheduler.situation import Situation, look
from tunedeck import shared_folder
from tunedeck.bus import ControlRecord
from tunedeck.settings import Settings

log = logging.getLogger(__name__)

TICK_S = 1.0
MESSAGE_PATIENCE_S = 5.0
# In a line of the log.
MOST_NAMED = 10


class Scheduler:
    def __init__(
        self,
        settings: Settings,
        database: Database,
        bus: redis.Redis,
        leadership: Leadership,
        hearing: Hearing,
    ) -> None:
        """`hearing` says whether the silence of a worker means anything."""
        self._settings = settings
        self._database = database
        self._bus = bus
        self._leadership = leadership
        self._hearing = hearing
        self._dispatcher = Dispatcher(settings.resolved_redis_url())
        self._records = ControlRecords(bus, shared_folder.record_of(settings))
        self._has_met_outdated = False
        # Whether jobs wait that the last tick could not place: one that comes now most likely waits as well.
        self.has_waiting = False

    def tick(self) -> float | None:
        """Returns in how many seconds the next is wanted; None: whenever. May raise redis.RedisError or kombu's
        OperationalError: what was decided by then stays, and is told later."""
        if not self._leadership.is_held():
            return None
        self._bus.ping()  # without the bus nobody would hear of a decision
        now = time.time()
        if not self._has_met_outdated:
            self._has_met_outdated = self._fail_outdated(now)
        while self._round(now):
            now = time.time()
        return self._next_try_in_s(now)

    def _round(self, now: float) -> bool:
        """Whether there may be more to place than one transaction may."""
        situation, plan = self._look_and_plan(now)
        dispatches: list[Dispatch] = []
        fences: dict[str, ControlRecord] = {}
        heard_until = self._hearing.silence_until()
        is_overdue = situation.has_overdue(now, heard_until, MESSAGE_PATIENCE_S, self._settings.lease_s)
        if is_overdue or plan.asks_for_something():
            dispatches, fences = self._decide(now, plan, is_overdue)
            situation = self._look()
        self.has_waiting = situation.has_queue
        self._records.write(fences | control.records_of(situation))
        for dispatch in dispatches:
            self._dispatcher.send(dispatch)
        return len(dispatches) >= placement.MOST_PLACEMENTS

    def close(self) -> None:
        self._dispatcher.close()

    def _fail_outdated(self, now: float) -> bool:
        """Whether it is done; a backend that lost the lead meanwhile leaves it to the one that has it."""
        with self._database.reading() as session:
            found = outdated(session)
        if not found:
            return True
        with self._database.writing() as session:
            if not self._leadership.holds(session):
                return False
            failed = fail_outdated(session, found, now)
        if failed:
            log.warning("jobs of another version cannot be run and have failed: %s", _shortened(failed))
        return True

    def _decide(self, now: float, plan: Plan, is_overdue: bool) -> tuple[list[Dispatch], dict[str, ControlRecord]]:
        """`is_overdue`: a lease may be over, or a message lost. What that frees is not in `plan`."""
        lease_s = self._settings.lease_s
        dispatches: list[Dispatch] = []
        expired: list[tuple[str, int]] = []
        with self._database.writing() as session:
            if not self._leadership.holds(session):
                return [], {}
            if is_overdue:
                expired = self._expire(session, now)
                dispatches += placement.overdue_messages(session, now, MESSAGE_PATIENCE_S)
            if expired:
                plan = placement.plan_now(session, now, now - lease_s)
            dispatches += placement.place_queued(session, plan, now, now - lease_s, lease_s)
        return dispatches, {job_id: control.fence(attempt) for job_id, attempt in expired}

    def _expire(self, session: Session, now: float) -> list[tuple[str, int]]:
        heard_until = self._hearing.silence_until()
        if heard_until is None:
            return []
        return leases.expire(session, now, heard_until, self._settings.lease_s, self._settings.retry_policy())

    def _next_try_in_s(self, now: float) -> float | None:
        with self._database.reading() as session:
            at = queries.next_try_at(session, now)
        return None if at is None else max(0.0, at - time.time())

    def _look_and_plan(self, now: float) -> tuple[Situation, Plan]:
        """Without a lock: ten thousand jobs that wait must not keep others from writing every second."""
        with self._database.reading() as session:
            situation = look(session)
            if not situation.has_queue:
                return situation, NOTHING
            return situation, placement.plan_now(session, now, now - self._settings.lease_s)

    def _look(self) -> Situation:
        with self._database.reading() as session:
            return look(session)


def _shortened(job_ids: Sequence[str]) -> str:
    named = ", ".join(job_ids[:MOST_NAMED])
    return named if len(job_ids) <= MOST_NAMED else f"{named} and {len(job_ids) - MOST_NAMED} more"
