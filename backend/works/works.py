"""The works of one backend process: a few at a time, each in a thread that waits for a child process.

They are kept in memory, because what they make is stored elsewhere (a data set, statistics) and each can be asked for
again; a table of works was rejected, since a restart would have to mend it. Asking for what is already under way joins
it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from tunedeck.child_process import Child
from tunedeck.errors import NotFound, TunedeckError
from tunedeck.ids import new_id
from tunedeck.views import WorkView

log = logging.getLogger(__name__)

NUM_AT_ONCE = 2
_KEPT_AFTER_END_S = 3600.0


class Stopped(Exception):
    """The work was cancelled."""


@dataclass
class Work:
    """`do` gets the work itself, to tell progress and to start its children through."""

    owner: str
    kind: str
    title: str
    unit: str
    id: str = field(default_factory=new_id)
    created_at: float = field(default_factory=time.time)
    ended_at: float | None = None
    is_running: bool = False
    is_stopping: bool = False
    done: int = 0
    total: int = 0
    result: Any = None
    fault: TunedeckError | None = None
    _child: Child | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def ask(self, module: str, request: dict[str, Any]) -> Any:
        """The answer of a child process to one request; its progress is that of the work. Raises Stopped."""
        with self._lock:
            if self.is_stopping:
                raise Stopped
            self._child = Child(module)
        try:
            return self._child.ask(request, self.progress)
        except TunedeckError as fault:
            if self.is_stopping:
                raise Stopped from fault
            raise
        finally:
            with self._lock:
                self._child.stop()
                self._child = None

    def progress(self, done: int, total: int) -> None:
        self.done, self.total = done, total

    def stop(self) -> None:
        with self._lock:
            self.is_stopping = True
            if self._child is not None:
                self._child.kill()

    @property
    def state(self) -> str:
        if self.ended_at is None:
            return "stopping" if self.is_stopping else "running" if self.is_running else "waiting"
        return "cancelled" if self.is_stopping else "failed" if self.fault else "succeeded"

    def view(self) -> WorkView:
        result = self.result.model_dump(mode="json") if isinstance(self.result, BaseModel) else self.result
        return WorkView.model_validate(
            {
                **{name: getattr(self, name) for name in WorkView.model_fields if name not in ("result", "fault")},
                "result": result if self.state == "succeeded" else None,
                "fault": self.fault.as_dict() if self.fault and self.state == "failed" else None,
            }
        )


class Works:
    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(NUM_AT_ONCE, thread_name_prefix="work")
        self._works: dict[str, Work] = {}
        self._ended: dict[str, threading.Event] = {}
        self._under_way: dict[str, Work] = {}
        self._lock = threading.Lock()

    def start(self, key: str, work: Work, do: Callable[[Work], Any]) -> Work:
        """Begin `work`, or join the one that is under way for the same `key`."""
        with self._lock:
            self._forget_old()
            joined = self._under_way.get(key)
            if joined is not None and not joined.is_stopping:
                return joined
            self._works[work.id] = self._under_way[key] = work
            self._ended[work.id] = threading.Event()
        self._pool.submit(self._run, key, work, do)
        return work

    def wait(self, work: Work, timeout_s: float) -> bool:
        """Whether it has ended within that time."""
        return self._ended[work.id].wait(timeout_s)

    def get(self, owner: str, work_id: str) -> Work:
        work = self._works.get(work_id)
        if work is None or work.owner != owner:
            raise NotFound(f"there is no work {work_id!r} (any more)", "it may have ended long ago; look at its result")
        return work

    def all(self, owner: str) -> tuple[Work, ...]:
        """Newest first."""
        with self._lock:
            return tuple(work for work in reversed(self._works.values()) if work.owner == owner)

    def close(self) -> None:
        for work in tuple(self._works.values()):
            work.stop()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _run(self, key: str, work: Work, do: Callable[[Work], Any]) -> None:
        work.is_running = True
        try:
            work.result = do(work)
        except Stopped:
            work.is_stopping = True
        except TunedeckError as fault:
            work.fault = fault
        except Exception as fault:
            log.exception("the %s of %s failed", work.kind, work.title)
            work.fault = TunedeckError(
                f"the {work.kind} failed in a way that nobody foresaw: {type(fault).__name__}",
                "look into the log of the backend",
            )
        finally:
            with self._lock:
                work.ended_at = time.time()
                if self._under_way.get(key) is work:
                    del self._under_way[key]
                self._ended[work.id].set()

    def _forget_old(self) -> None:
        border = time.time() - _KEPT_AFTER_END_S
        for work in tuple(self._works.values()):
            if work.ended_at is not None and work.ended_at < border:
                del self._works[work.id], self._ended[work.id]
