"""The attempts that run on this host: each in a thread that starts it, follows it and says how it ended."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from tunedeck.bus import RunAttempt
from worker.attempt import Attempt

logger = logging.getLogger(__name__)

MakeAttempt = Callable[[RunAttempt], Attempt]


class Attempts:
    def __init__(self, make_attempt: MakeAttempt) -> None:
        self._make_attempt = make_attempt
        self._lock = threading.Lock()
        self._live: dict[tuple[str, int], tuple[Attempt, threading.Thread]] = {}
        self._leaving = False

    def start(self, order: RunAttempt) -> None:
        """Begin an attempt, unless it has begun: messages may be doubled. Returns at once."""
        key = (order.job_id, order.attempt)
        with self._lock:
            if self._leaving:
                logger.info("job %s attempt %d is not begun: this worker ends", *key)
                return
            if key in self._live:
                logger.info("job %s attempt %d runs already; this message was a double", *key)
                return
            attempt = self._make_attempt(order)
            # Not a daemon: the interpreter must not end under a thread that still has something to say.
            thread = threading.Thread(target=self._run, args=(key, attempt), name=f"attempt {key[0]} {key[1]}")
            self._live[key] = (attempt, thread)
            thread.start()  # under the lock: `leave` joins every thread that it finds, and one not started cannot be

    def running(self) -> tuple[tuple[str, int], ...]:
        """(job id, attempt) of all whose processes run, or whose end is not published yet."""
        with self._lock:
            return tuple(key for key, (attempt, _) in self._live.items() if attempt.is_live)

    def leave(self) -> None:
        """End all, each with a last checkpoint if it can within its grace. Returns when every process is gone."""
        with self._lock:
            self._leaving = True
            live = list(self._live.values())
        for attempt, _ in live:
            attempt.leave()
        for _, thread in live:
            thread.join()

    def _run(self, key: tuple[str, int], attempt: Attempt) -> None:
        try:
            attempt.run()
        except Exception:
            logger.exception("job %s attempt %d: the worker's own code failed; the lease will run out", *key)
        finally:
            with self._lock:
                del self._live[key]
