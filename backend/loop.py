"""A thread that does one thing again and again and never dies silently.

A round that raises is logged, shown in /health, and tried again after a pause that doubles up to a few seconds. The
traceback is logged when the fault is new: a bus that is away for an hour is one traceback and not a thousand.
A pool of timers (APScheduler) was rejected: our rounds must be woken at once, and must never overlap with themselves.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable

log = logging.getLogger(__name__)

FIRST_PAUSE_S = 0.25
LONGEST_PAUSE_S = 2.0
SAVED_S = 0.2


class Loop:
    """Calls `round_` every `interval_s` seconds, and at once after `wake()`, in a thread of its own; sooner where the
    round before returned so many seconds.

    `wake(apart_s)` asks for a round that begins so long after the last one ended, which is at once where nothing has
    happened lately.

    `most_share`: how much of a core its rounds may take, however often it is woken, so that what is woken by everything
    that happens leaves others their part of the processor; waiting for a database does not count. Who has rested begins
    at once: a share that is not used is kept, for rounds of up to SAVED_S.
    """

    def __init__(
        self, name: str, round_: Callable[[], float | None], interval_s: float, most_share: float = 1.0
    ) -> None:
        self.name = name
        self.fault = ""
        self._round = round_
        self._interval_s = interval_s
        self._most_share = most_share
        self._saved_s = SAVED_S
        self._counted_at = time.monotonic()
        self._pause_s = 0.0
        self._apart_s = math.inf
        self._woken = threading.Condition()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"tunedeck-{name}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def wake(self, apart_s: float = 0.0) -> None:
        with self._woken:
            if apart_s < self._apart_s:
                self._apart_s = apart_s
                self._woken.notify()

    def ask_to_stop(self) -> None:
        self._stopping.set()
        self.wake()

    def join(self, timeout_s: float) -> None:
        """Wait for the end of the round that is under way."""
        if self._thread.is_alive():
            self._thread.join(timeout_s)
        if self._thread.is_alive():
            log.error("the %s thread is still busy %.0f s after it was asked to stop", self.name, timeout_s)

    def _run(self) -> None:
        while not self._stopping.is_set():
            began = time.thread_time()
            try:
                wanted_s = self._round()
            except Exception as fault:
                self._remember(fault)
                self._stopping.wait(self._pause_s)
            else:
                self._recover()
                self._stopping.wait(self._rest_s(time.thread_time() - began))
                self._wait(self._interval_s if wanted_s is None else min(wanted_s, self._interval_s))
            with self._woken:
                self._apart_s = math.inf

    def _wait(self, longest_s: float) -> None:
        """Until a round is asked for, and at most so long."""
        ended_at = time.monotonic()
        with self._woken:
            while (rest_s := ended_at + min(longest_s, self._apart_s) - time.monotonic()) > 0:
                self._woken.wait(rest_s)

    def _rest_s(self, took_s: float) -> float:
        """How long to rest after a round that took so much of a core, in seconds."""
        now = time.monotonic()
        self._saved_s = min(SAVED_S, self._saved_s + self._most_share * (now - self._counted_at)) - took_s
        self._counted_at = now
        return 0.0 if self._most_share >= 1 else max(0.0, -self._saved_s / self._most_share)

    def _remember(self, fault: Exception) -> None:
        said = f"{type(fault).__name__}: {fault}"
        if said != self.fault:
            log.error("the %s thread failed and will try again", self.name, exc_info=fault)
        self.fault = said
        self._pause_s = min(max(FIRST_PAUSE_S, 2 * self._pause_s), LONGEST_PAUSE_S)

    def _recover(self) -> None:
        if self.fault:
            log.info("the %s thread works again", self.name)
        self.fault = ""
        self._pause_s = 0.0
