"""Says every few seconds that the host is alive, what it has, and which attempts run on it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

import redis

from tunedeck.bus import DeviceFault, HelloMessage, HostFacts
from worker.attempts import Attempts
from worker.publisher import publish_hello

logger = logging.getLogger(__name__)


class Greeter(threading.Thread):
    """A daemon thread: nothing is lost with a hello. While `facts` knows none there is nothing to offer. `faults` tells
    of GPUs that had errors; only this thread asks."""

    def __init__(
        self,
        bus: redis.Redis,
        facts: Callable[[], HostFacts | None],
        attempts: Attempts,
        interval_s: float,
        faults: Callable[[], tuple[DeviceFault, ...]],
    ) -> None:
        super().__init__(name="greeter", daemon=True)
        self._bus = bus
        self._facts = facts
        self._attempts = attempts
        self._interval_s = interval_s
        self._faults = faults
        self._ending = threading.Event()

    def stop(self) -> None:
        self._ending.set()
        self.join()

    def run(self) -> None:
        was_heard = True
        while not self._ending.is_set():
            is_heard = self._greet()
            if is_heard != was_heard:
                logger.info("the bus hears us again" if is_heard else "the bus does not hear us; we go on trying")
            was_heard = is_heard
            self._ending.wait(self._interval_s)

    def _greet(self) -> bool:
        facts = self._facts()
        if facts is None:
            return True
        hello = HelloMessage(facts=facts, attempts=self._attempts.running(), faults=self._faults())
        try:
            return publish_hello(self._bus, hello)
        except redis.RedisError as fault:
            logger.debug("no hello: %s", fault)
            return False
