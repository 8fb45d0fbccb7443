"""Everybody who listens to the feed of this process.

All of it lives on the event loop and is touched only there, so it needs no lock: the pump thread hands whole batches
over. A listener that falls behind by more than its queue holds is cut off; it reconnects with the last id that it saw
and is served from the database. Waiting for the slow was rejected (one phone on a train would hold up every chart), and
so was leaving messages out (a chart with a hole looks like a result).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from backend.feed.message import Message

log = logging.getLogger(__name__)

QUEUE_LENGTH = 10_000


@dataclass(frozen=True)
class Topics:
    """What a listener wants to hear. No `job_ids`: of every job; but who wants `readings` of the hosts and names no job
    hears those alone, since a page of hosts has no use for every step of every run."""

    job_ids: frozenset[str] = frozenset()
    readings: bool = False

    @property
    def has_jobs(self) -> bool:
        return bool(self.job_ids) or not self.readings

    def include(self, message: Message) -> bool:
        if not message.job_id:
            return self.readings
        return message.job_id in self.job_ids if self.job_ids else not self.readings


class Listener:
    """One open stream."""

    def __init__(self, topics: Topics, queue_length: int) -> None:
        self.topics = topics
        self._ended = asyncio.Event()
        self._queue_length = queue_length
        self._queue: list[Message] = []
        self._filled = asyncio.Event()

    def offer(self, messages: Sequence[Message]) -> None:
        wanted = [message for message in messages if self.topics.include(message)]
        if not wanted or self._ended.is_set():
            return
        self._queue.extend(wanted)
        self._filled.set()
        if len(self._queue) > self._queue_length:
            log.warning("a listener is %d messages behind and is cut off", len(self._queue))
            self.end()

    async def take(self, timeout_s: float) -> list[Message]:
        """All that waits; nothing at all after `timeout_s` seconds of silence."""
        try:
            # Not wait_for: on Python 3.11 it swallows a cancellation that comes together with the result.
            async with asyncio.timeout(timeout_s):
                await self._filled.wait()
        except TimeoutError:
            return []
        self._filled.clear()
        taken, self._queue = self._queue, []
        return taken

    async def wait_for_end(self) -> None:
        await self._ended.wait()

    def end(self) -> None:
        """What it has not taken yet is forgotten; it will be replayed."""
        self._queue = []
        self._ended.set()


class Hub:
    def __init__(self, queue_length: int = QUEUE_LENGTH) -> None:
        self._queue_length = queue_length
        self._listeners: set[Listener] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_closed = False

    @property
    def num_listeners(self) -> int:
        return len(self._listeners)

    @property
    def num_listeners_to_readings(self) -> int:
        """From any thread; the set is copied in one step, because the loop may change it meanwhile."""
        return sum(listener.topics.readings for listener in self._listeners.copy())

    @contextmanager
    def listening(self, topics: Topics) -> Iterator[Listener]:
        """A listener that hears everything published from now on. To be called on the event loop."""
        self._loop = asyncio.get_running_loop()
        listener = Listener(topics, self._queue_length)
        self._listeners.add(listener)
        if self._is_closed:
            listener.end()
        try:
            yield listener
        finally:
            self._listeners.discard(listener)

    def publish(self, messages: Sequence[Message]) -> None:
        """From any thread: hand `messages` to every listener."""
        if messages and self._listeners:
            self._on_loop(lambda: self._offer(messages))

    def close(self) -> None:
        """From any thread: end every stream now, and every later one at once."""
        self._is_closed = True
        self._on_loop(self._end_all)

    def _on_loop(self, call: Callable[[], None]) -> None:
        if self._loop is None:
            return
        # Between a look at is_closed() and the call the loop may close: then nobody is left to hear it.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(call)

    def _offer(self, messages: Sequence[Message]) -> None:
        for listener in self._listeners:
            listener.offer(messages)

    def _end_all(self) -> None:
        for listener in self._listeners:
            listener.end()
