from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from backend.bus import connect
from backend.db.database import Database
from backend.ingest.ingest import Ingest
from backend.scheduler.leadership import Leadership
from tests.support.valkey import ValkeyServer
from tunedeck.bus import EVENTS_STREAM, BusMessage
from tunedeck.settings import Settings


class Ingesting:
    """Ingest that leads, and the worker's end of its stream."""

    def __init__(self, database: Database, server: ValkeyServer, folder: Path) -> None:
        self.settings = Settings(data_dir=folder, redis_url=server.url, lease_s=15.0, max_attempts=3)
        self.leadership = Leadership(database, lease_s=600.0)  # a busy machine must not cost it the lead
        self.leadership.renew()
        self.bus = connect(server.url)
        self.feed_wakes = 0
        self.scheduler_wakes = 0
        self.is_watched = True
        self.ingest = self.fresh(database)

    def fresh(self, database: Database) -> Ingest:
        """As after a restart of the backend."""
        return Ingest(
            self.settings,
            database,
            self.bus,
            self.leadership,
            self._wake_feed,
            self._wake_scheduler,
            is_watched=lambda: self.is_watched,
        )

    def say(self, messages: Sequence[BusMessage]) -> None:
        for message in messages:
            self.bus.xadd(EVENTS_STREAM, {"m": message.model_dump_json()})

    def hear(self, *messages: BusMessage) -> None:
        """Say `messages` and let ingest take them in."""
        self.say(messages)
        self.ingest.round()

    def _wake_feed(self) -> None:
        self.feed_wakes += 1

    def _wake_scheduler(self) -> None:
        self.scheduler_wakes += 1


@pytest.fixture
def ingesting(database: Database, valkey: ValkeyServer, tmp_path: Path) -> Iterator[Ingesting]:
    made = Ingesting(database, valkey, tmp_path)
    yield made
    made.bus.close()
