"""Delivers what lies in the outbox, and tries again, for a day, what was not taken.

The leader's thread alone delivers. Nothing is held locked while a receiver is waited for, so one that dies between the
sending and the note of it sends once more, under the same id. Channels do not wait for each other; within one, the
order is kept as long as it answers: a channel that fails is left alone for a few seconds.
"""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from backend.alerts.channels import email, webhook
from backend.alerts.channels.letter import Letter, NotDelivered
from backend.db.database import Database
from backend.db.tables import AlertChannelRow, DeliveryRow
from backend.scheduler.leadership import Leadership
from tunedeck.settings import Settings
from tunedeck.up.port import base_url

log = logging.getLogger(__name__)

DELIVER_EVERY_S = 1.0
FIRST_DELAY_S = 5.0
LONGEST_DELAY_S = 3600.0
GIVEN_UP_AFTER_S = 24 * 3600.0
_MOST_AT_ONCE = 100
_CHANNELS_AT_ONCE = 4


@dataclass(frozen=True)
class Due:
    """A delivery that is due, with all that sending it takes."""

    letter: Letter
    kind: str
    channel_id: str
    config: dict[str, object]
    secret: dict[str, object]

    def send(self) -> str:
        """Why it was not delivered, "" if it was."""
        try:
            if self.kind == "webhook":
                webhook.send(self.letter, self.secret)
            else:
                email.send(self.letter, self.config, self.secret)
        except NotDelivered as fault:
            return str(fault)
        except Exception as fault:
            # One message that cannot be sent must not keep back those of other channels; it is shown and tried again.
            log.exception("delivery %s could not be sent", self.letter.id)
            return f"it could not be sent: {type(fault).__name__}"
        return ""


class Courier:
    def __init__(self, settings: Settings, database: Database, leadership: Leadership) -> None:
        self._site = (settings.public_url or base_url(settings.host, settings.port)).rstrip("/")
        self._database = database
        self._leadership = leadership

    def round(self) -> None:
        """Deliver what is due now."""
        if not self._leadership.is_held():
            return
        with self._database.reading() as session:
            due = self._due(session, time.time())
        by_channel: dict[str, list[Due]] = defaultdict(list)
        for each in due:
            by_channel[each.channel_id].append(each)
        if by_channel:
            with ThreadPoolExecutor(_CHANNELS_AT_ONCE, thread_name_prefix="tunedeck-alerts") as threads:
                list(threads.map(self._deliver, by_channel.values()))

    def _deliver(self, due: list[Due]) -> None:
        for each in due:
            error = each.send()
            with self._database.writing() as session:
                note(session, each.letter.id, error, time.time())
            if error:
                return

    def _due(self, session: Session, now: float) -> list[Due]:
        query = (
            select(DeliveryRow, AlertChannelRow)
            .join(AlertChannelRow, AlertChannelRow.id == DeliveryRow.channel_id)
            .where(DeliveryRow.next_try_at <= now)
            .order_by(DeliveryRow.created_at, DeliveryRow.id)
            .limit(_MOST_AT_ONCE)
        )
        return [self._of(delivery, channel) for delivery, channel in session.execute(query)]

    def _of(self, delivery: DeliveryRow, channel: AlertChannelRow) -> Due:
        job_id = delivery.message["job"]["id"]
        letter = Letter(delivery.id, delivery.message, f"{self._site}/runs/{job_id}" if job_id else "")
        return Due(letter, channel.kind, channel.id, channel.config, channel.secret)


def note(session: Session, delivery_id: str, error: str, now: float) -> None:
    """What became of a try. `error` "": delivered. Nothing where the channel was removed meanwhile."""
    delivery = session.get(DeliveryRow, delivery_id)
    if delivery is None:
        return
    delivery.num_tries += 1
    delivery.last_error = error
    if not error:
        delivery.delivered_at, delivery.next_try_at = now, None
        return
    delay_s = min(FIRST_DELAY_S * 2.0 ** min(delivery.num_tries - 1, 20), LONGEST_DELAY_S)
    is_given_up = now + delay_s > delivery.created_at + GIVEN_UP_AFTER_S
    delivery.next_try_at = None if is_given_up else now + delay_s
    # A receiver that is down is not asked again at once for each of the others that wait for it.
    others = update(DeliveryRow).where(DeliveryRow.channel_id == delivery.channel_id, DeliveryRow.id != delivery_id)
    session.execute(others.where(DeliveryRow.next_try_at <= now).values(next_try_at=now + FIRST_DELAY_S))
