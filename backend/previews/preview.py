"""The child process that answers pages: started at the first question, ended when nobody has asked for a while."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tunedeck.child_process import Child
from tunedeck.errors import Unavailable

_PROCESS = "backend.previews.process"
TIMEOUT_S = 30.0
IDLE_S = 300.0


class Preview:
    """One child for all; whoever asks waits for who asked before."""

    def __init__(self) -> None:
        self._child: Child | None = None
        self._asked_at = 0.0
        self._lock = threading.Lock()
        # The kernel ends a child with the thread that started it, and threads of requests end when they are idle.
        self._starter = ThreadPoolExecutor(1, thread_name_prefix="preview")

    def ask(self, call: str, **request: Any) -> Any:
        """Raises what the child raises, and Unavailable where it is too busy or ends."""
        if not self._lock.acquire(timeout=TIMEOUT_S):
            raise Unavailable("the preview is busy with other questions", "try again")
        try:
            if self._child is None or not self._child.is_alive:
                self._end()
                self._child = self._starter.submit(Child, _PROCESS).result()
            return self._child.ask({"call": call, **request}, _unheard, TIMEOUT_S)
        except Unavailable:
            self._end()
            raise
        finally:
            self._asked_at = time.monotonic()
            self._lock.release()

    def rest(self) -> None:
        """End the child when nobody has asked for a while."""
        if self._lock.acquire(blocking=False):
            try:
                if time.monotonic() - self._asked_at > IDLE_S:
                    self._end()
            finally:
                self._lock.release()

    def close(self) -> None:
        child = self._child
        if child is not None:
            child.kill()
        with self._lock:
            self._end()
        self._starter.shutdown()

    def _end(self) -> None:
        if self._child is not None:
            self._child.stop()
            self._child = None


def _unheard(done: int, total: int) -> None: ...
