"""The works of one backend: a few at a time, each in a thread that waits for a child process.

Each is kept on the disk until an hour after its end. What was under way when the backend ended is begun again by the
next one under the same id, so whoever asks for it sees nothing but that it takes longer. Asking for what is already
under way joins it.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from backend.works.folder import WorkFolder
from backend.works.work import Stopped, Work
from tunedeck.errors import NotFound, TunedeckError, Unavailable

log = logging.getLogger(__name__)

NUM_AT_ONCE = 2
_KEPT_AFTER_END_S = 3600.0
# A work that takes the backend with it must not do so for ever.
_MOST_STARTS = 3

Kinds = Mapping[str, Callable[[Work], Any]]


class Works:
    """`take_up` is called once, before the first `start`."""

    def __init__(self, folder: WorkFolder) -> None:
        self._folder = folder
        self._kinds: Kinds = {}
        self._pool = ThreadPoolExecutor(NUM_AT_ONCE, thread_name_prefix="work")
        self._works: dict[str, Work] = {}
        self._ended: dict[str, threading.Event] = {}
        self._under_way: dict[str, Work] = {}
        self._lock = threading.Lock()

    def take_up(self, kinds: Kinds) -> None:
        """Say what is done for a work of each kind, and go on with what the last backend left."""
        self._kinds = kinds
        for work in self._folder.works():
            self._add(work)
            if work.ended_at is not None:
                self._ended[work.id].set()
            elif work.num_starts < _MOST_STARTS:
                self._begin(work)
            else:
                work.fault = Unavailable(
                    f"the {work.kind} was begun {work.num_starts} times, and each time the server ended",
                    "look into the log of the backend, then ask again",
                )
                self._end(work)

    def start(self, work: Work) -> Work:
        """Begin `work`, or join the one that is under way for the same request."""
        with self._lock:
            self._forget_old()
            joined = self._under_way.get(_key(work))
            if joined is not None and not joined.is_stopping:
                return joined
            self._add(work)
        self._begin(work)
        return work

    def wait(self, work: Work, timeout_s: float) -> bool:
        """Whether it has ended within that time."""
        return self._ended[work.id].wait(timeout_s)

    def get(self, owner: str, work_id: str) -> Work:
        work = self._works.get(work_id)
        if work is None or work.owner != owner:
            message = f"there is no work {work_id!r} (any more)"
            raise NotFound(message, "it ended more than an hour ago: look at what it was for, or ask for that again")
        return work

    def all(self, owner: str) -> tuple[Work, ...]:
        """Newest first."""
        with self._lock:
            return tuple(work for work in reversed(self._works.values()) if work.owner == owner)

    def cancel(self, owner: str, work_id: str) -> Work:
        """Idempotent. One that has ended stays as it is."""
        work = self.get(owner, work_id)
        with self._lock:
            if work.ended_at is None:
                work.stop()
                self._keep(work)
        return work

    def close(self) -> None:
        """End the children; what they were at stays to be taken up."""
        for work in tuple(self._works.values()):
            work.interrupt()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _add(self, work: Work) -> None:
        self._works[work.id] = work
        self._ended[work.id] = threading.Event()
        if work.ended_at is None:
            self._under_way[_key(work)] = work

    def _begin(self, work: Work) -> None:
        if work.is_stopping:  # cancelled in the moment before the restart
            self._end(work)
            return
        self._keep(work)
        self._pool.submit(self._run, work)

    def _run(self, work: Work) -> None:
        work.is_running, work.num_starts = True, work.num_starts + 1
        self._keep(work)
        try:
            work.result = self._kinds[work.kind](work)
        except Stopped:
            if not work.is_stopping:
                return
        except TunedeckError as fault:
            work.fault = fault
        except Exception as fault:
            log.exception("the %s of %s failed", work.kind, work.title)
            work.fault = TunedeckError(
                f"the {work.kind} failed in a way that nobody foresaw: {type(fault).__name__}",
                "look into the log of the backend",
            )
        self._end(work)

    def _end(self, work: Work) -> None:
        with self._lock:
            work.ended_at = time.time()
            if self._under_way.get(_key(work)) is work:
                del self._under_way[_key(work)]
            self._ended[work.id].set()
            self._keep(work)

    def _keep(self, work: Work) -> None:
        try:
            self._folder.put(work)
        except OSError:  # it can still be done, and told for as long as this process lives
            log.exception("the %s of %s would not survive a restart", work.kind, work.title)

    def _forget_old(self) -> None:
        border = time.time() - _KEPT_AFTER_END_S
        for work in tuple(self._works.values()):
            if work.ended_at is not None and work.ended_at < border:
                del self._works[work.id], self._ended[work.id]
                self._folder.remove(work.id)


def _key(work: Work) -> str:
    return json.dumps((work.kind, work.owner, work.request), sort_keys=True)
