"""Delivers what lies in the outbox, and tries again, for a day, what was not taken.

The leader alone delivers. Nothing is held locked while a receiver is waited for, so one that dies between the sending
and the note of it sends once more, under the same id. Each channel has a thread of its own while something is due for
it, up to _CHANNELS_AT_ONCE of them, so that a slow receiver keeps no other waiting; after TURN_S it begins no further
message. Within a channel the order is kept as long as it answers: one that fails is left alone for a few seconds.

The threads are daemons. A pool of concurrent.futures was rejected: a program that ends waits for it.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from threading import Event, Thread

from sqlalchemy import ColumnElement, func, or_, select, update
from sqlalchemy.orm import Session

from backend.alerts.channels import email, webhook
from backend.alerts.channels.letter import Letter, NotDelivered, Outcome
from backend.alerts.outbox import TEST
from backend.db.database import Database
from backend.db.tables.alerts import AlertChannelRow, DeliveryRow
from backend.scheduler.leadership import Leadership
from tunedeck.settings import Settings
from tunedeck.up.port import base_url

log = logging.getLogger(__name__)

DELIVER_EVERY_S = 1.0
FIRST_DELAY_S = 5.0
LONGEST_DELAY_S = 3600.0
GIVEN_UP_AFTER_S = 24 * 3600.0
TURN_S = 15.0
_CHANNELS_AT_ONCE = 8


@dataclass(frozen=True)
class Due:
    """A delivery that is due, with all that sending it takes."""

    letter: Letter
    kind: str
    config: dict[str, object]
    secret: dict[str, object]

    def send(self) -> Outcome:
        try:
            if self.kind == "email":
                return Outcome(True, email.send(self.letter, self.config, self.secret))
            webhook.send(self.letter, self.secret)
            return Outcome(True)
        except NotDelivered as fault:
            return Outcome(False, str(fault))
        except Exception as fault:
            # One message that cannot be sent must not keep back those of other channels; it is shown and tried again.
            log.exception("delivery %s could not be sent", self.letter.id)
            return Outcome(False, f"it could not be sent: {type(fault).__name__}")


class Courier:
    def __init__(self, settings: Settings, database: Database, leadership: Leadership) -> None:
        self._site = (settings.public_url or base_url(settings.host, settings.port)).rstrip("/")
        self._database = database
        self._leadership = leadership
        self._busy: dict[str, Thread] = {}
        self._faults: list[Exception] = []
        self._stopping = Event()

    def round(self) -> None:
        """Begin to deliver what is due now, and wait for none of it. Raises what a thread could not do."""
        self._busy = {channel_id: thread for channel_id, thread in self._busy.items() if thread.is_alive()}
        if self._may_deliver():
            with self._database.reading() as session:
                waiting = [channel_id for channel_id in _waiting(session, time.time()) if channel_id not in self._busy]
            for channel_id in waiting[: _CHANNELS_AT_ONCE - len(self._busy)]:
                name = f"tunedeck-alerts-{channel_id}"
                self._busy[channel_id] = Thread(target=self._take_turn, args=(channel_id,), name=name, daemon=True)
                self._busy[channel_id].start()
        if self._faults:
            raise self._faults.pop(0)

    def ask_to_stop(self) -> None:
        """Send nothing more but what is being sent."""
        self._stopping.set()

    def join(self, timeout_s: float) -> None:
        """Wait for what is being sent."""
        deadline = time.monotonic() + timeout_s
        for thread in list(self._busy.values()):
            thread.join(max(0.0, deadline - time.monotonic()))

    def _may_deliver(self) -> bool:
        return self._leadership.is_held() and not self._stopping.is_set()

    def _take_turn(self, channel_id: str) -> None:
        try:
            self._deliver(channel_id, time.monotonic() + TURN_S)
        except Exception as fault:
            self._faults.append(fault)

    def _deliver(self, channel_id: str, until: float) -> None:
        """What is due for a channel, one after the other, but begin none after the monotonic time `until`."""
        while self._may_deliver() and time.monotonic() < until:
            with self._database.reading() as session:
                due = self._next(session, channel_id, time.time())
            if due is None:
                return
            outcome = due.send()
            with self._database.writing() as session:
                note(session, due.letter.id, outcome, time.time())
            if not outcome.is_delivered:
                return

    def _next(self, session: Session, channel_id: str, now: float) -> Due | None:
        query = (
            select(DeliveryRow, AlertChannelRow)
            .join(AlertChannelRow, AlertChannelRow.id == DeliveryRow.channel_id)
            .where(DeliveryRow.channel_id == channel_id, *_is_due(now))
            .order_by(DeliveryRow.created_at, DeliveryRow.id)
            .limit(1)
        )
        found = session.execute(query).one_or_none()
        if found is None:
            return None
        delivery, channel = found
        job_id = delivery.message["job"]["id"]
        letter = Letter(delivery.id, delivery.message, f"{self._site}/runs/{job_id}" if job_id else "")
        return Due(letter, channel.kind, channel.config, channel.secret)


def _waiting(session: Session, now: float) -> list[str]:
    """Ids of the channels for which something is due, first that which has waited the longest."""
    query = (
        select(DeliveryRow.channel_id)
        .join(AlertChannelRow, AlertChannelRow.id == DeliveryRow.channel_id)
        .where(*_is_due(now))
        .group_by(DeliveryRow.channel_id)
        .order_by(func.min(DeliveryRow.next_try_at))
    )
    return list(session.scalars(query))


def _is_due(now: float) -> tuple[ColumnElement[bool], ...]:
    return DeliveryRow.next_try_at <= now, or_(AlertChannelRow.enabled, DeliveryRow.event == TEST)


def note(session: Session, delivery_id: str, outcome: Outcome, now: float) -> None:
    """What became of a try. Nothing where the channel was removed meanwhile."""
    delivery = session.get(DeliveryRow, delivery_id)
    if delivery is None:
        return
    delivery.num_tries += 1
    delivery.last_error = outcome.said
    if outcome.is_delivered:
        delivery.delivered_at, delivery.next_try_at = now, None
        return
    delay_s = min(FIRST_DELAY_S * 2.0 ** min(delivery.num_tries - 1, 20), LONGEST_DELAY_S)
    is_given_up = now + delay_s > delivery.created_at + GIVEN_UP_AFTER_S
    delivery.next_try_at = None if is_given_up else now + delay_s
    # A receiver that is down is not asked again at once for each of the others that wait for it.
    others = update(DeliveryRow).where(DeliveryRow.channel_id == delivery.channel_id, DeliveryRow.id != delivery_id)
    session.execute(others.where(DeliveryRow.next_try_at <= now).values(next_try_at=now + FIRST_DELAY_S))
