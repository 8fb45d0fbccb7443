"""What one backend process does besides answering requests: lead, schedule, ingest, listen for silence, deliver
alerts, compact, tidy up, publish.

Nine threads, because everything that they do blocks on the database or the bus, and those in which the courier waits
for receivers. All but the pump of the feed and the readings rest while another backend is the leader. None of them may
fail silently, and none may take the pages down: a bus that is away shows in /health and nowhere else.
"""

from __future__ import annotations

import logging

from backend.alerts.courier import DELIVER_EVERY_S, Courier
from backend.bus import connect
from backend.cluster.readings import READ_EVERY_S, Readings
from backend.db.database import Database
from backend.feed.hub import Hub
from backend.feed.pump import LOOK_AGAIN_S, Pump
from backend.health.silence import LOOK_EVERY_S, Silence
from backend.housekeeping import SWEEP_EVERY_S, Housekeeping
from backend.ingest.ingest import Ingest
from backend.loop import Loop
from backend.metrics.compactor import COMPACT_EVERY_S, Compactor
from backend.previews.preview import Preview
from backend.scheduler.leadership import LOOK_S, Leadership
from backend.scheduler.scheduler import TICK_S, Scheduler
from backend.uploads.store import UploadStore
from tunedeck.errors import TunedeckError
from tunedeck.settings import Settings

log = logging.getLogger(__name__)

STOP_TIMEOUT_S = 5.0
# Whatever happens to a job wakes the scheduler; a hundred a second must not leave the processor to it.
SCHEDULER_SHARE = 0.25
LOOKS_APART_S = 0.1


class Background:
    def __init__(self, settings: Settings, database: Database, uploads: UploadStore, preview: Preview) -> None:
        self.hub = Hub()
        self.bus = connect(settings.resolved_redis_url())
        self.leadership = Leadership(database)
        self.readings = Readings(self.bus, self.hub)
        pump = Pump(database, self.hub)
        compactor = Compactor(database, self.leadership)
        self.ingest = Ingest(
            settings,
            database,
            self.bus,
            self.leadership,
            self.wake_feed,
            self.wake_scheduler,
            is_watched=lambda: self.hub.num_listeners > 0,
        )
        self._scheduler = Scheduler(settings, database, self.bus, self.leadership, self.ingest.hearing)
        silence = Silence(database, self.leadership, self.ingest.hearing)
        self._courier = Courier(settings, database, self.leadership)
        housekeeping = Housekeeping(settings, database, uploads, preview, self.leadership)
        self._leader_loop = Loop("leader", self.leadership.keep, LOOK_S)
        self._scheduler_loop = Loop("scheduler", self._scheduler.tick, TICK_S, most_share=SCHEDULER_SHARE)
        self._ingest_loop = Loop("ingest", self.ingest.round, 0.0)
        self._silence_loop = Loop("silence", silence.look, LOOK_EVERY_S)
        self._courier_loop = Loop("alerts", self._courier.round, DELIVER_EVERY_S)
        self._compactor_loop = Loop("compactor", compactor.compact, COMPACT_EVERY_S)
        self._housekeeping_loop = Loop("housekeeping", housekeeping.sweep, SWEEP_EVERY_S)
        self._feed_loop = Loop("feed", pump.pump, LOOK_AGAIN_S)
        self._readings_loop = Loop("readings", self.readings.round, READ_EVERY_S)
        # In the order in which they stop: what writes before what publishes, and the lease last.
        self._loops = (
            self._scheduler_loop,
            self._ingest_loop,
            self._silence_loop,
            self._courier_loop,
            self._compactor_loop,
            self._housekeeping_loop,
            self._feed_loop,
            self._readings_loop,
            self._leader_loop,
        )

    def start(self) -> None:
        for loop in reversed(self._loops):
            loop.start()

    def stop(self) -> None:
        """End the streams and the threads, and let the next backend lead at once."""
        self.hub.close()
        self._courier.ask_to_stop()
        for loop in self._loops:
            loop.ask_to_stop()
        for loop in self._loops:
            loop.join(STOP_TIMEOUT_S)
        self._courier.join(STOP_TIMEOUT_S)
        try:
            self.leadership.resign()
        except TunedeckError as fault:
            log.warning("the next backend has to wait for our lease to end: %s", fault)
        self._scheduler.close()
        self.bus.close()

    def wake_scheduler(self) -> None:
        self._scheduler_loop.wake()

    def wake_feed(self) -> None:
        """Where nobody listens the pump looks by itself a few times a second, which is enough."""
        if self.hub.num_listeners:
            self._feed_loop.wake()

    def wake_for_jobs(self) -> None:
        """A job has changed: there may be something to place, and there is something to tell."""
        self.wake_scheduler()
        self.wake_feed()

    def wake_for_new_jobs(self) -> None:
        """While others wait that found no room, a hundred a second must not make the scheduler look for it as often."""
        self._scheduler_loop.wake(LOOKS_APART_S if self._scheduler.has_waiting else 0.0)
        self.wake_feed()

    def faults(self) -> tuple[str, ...]:
        """One sentence for each thread whose last round failed."""
        return tuple(f"the {loop.name} thread fails: {loop.fault}" for loop in self._loops if loop.fault)
