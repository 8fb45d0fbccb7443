"""One open stream: what was missed from the database, then live, without a gap and without a double.

The order is what matters: begin to listen, replay, then go live and leave out what the replay has sent. Whatever is
committed is found by the replay or is published after the listening began, or both.

A response class of our own instead of StreamingResponse over a generator: a generator that hangs in a send to a client
that is gone is not closed until it is collected, and nobody could cut off a client that does not read.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress

from fastapi import Response
from starlette.concurrency import run_in_threadpool
from starlette.types import Receive, Scope, Send

from backend.db.database import Database
from backend.feed import message, queries
from backend.feed.hub import Hub, Listener, Topics
from backend.feed.message import COMMENT, RECONNECT_AFTER, Message
from tunedeck.errors import Unavailable

log = logging.getLogger(__name__)

PAGE = 500
COMMENT_EVERY_S = 15.0
FROM_NOW_ON = -1
# What a client that does not read may hold up the end of its stream by, in seconds.
FAREWELL_S = 0.5


class FeedResponse(Response):
    """`last_event_id`: the last id that the client has seen, or FROM_NOW_ON."""

    media_type = "text/event-stream"

    def __init__(self, database: Database, hub: Hub, topics: Topics, last_event_id: int) -> None:
        super().__init__(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._database = database
        self._hub = hub
        self._topics = topics
        self._seen = last_event_id

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Returns when the client has gone, was cut off, or the hub is closed."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        with self._hub.listening(self._topics) as listener:
            tasks = [
                asyncio.create_task(self._send_all(listener, send)),
                asyncio.create_task(_until_disconnected(receive)),
                asyncio.create_task(listener.wait_for_end()),
            ]
            try:
                done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            finally:
                await _cancel(tasks)
        _look_at(done)
        with suppress(TimeoutError):
            async with asyncio.timeout(FAREWELL_S):
                await send({"type": "http.response.body", "body": b""})

    async def _send_all(self, listener: Listener, send: Send) -> None:
        async with aclosing(self._parts(listener)) as parts:
            async for part in parts:
                await send({"type": "http.response.body", "body": part, "more_body": True})

    async def _parts(self, listener: Listener) -> AsyncGenerator[bytes, None]:
        yield RECONNECT_AFTER
        yield await run_in_threadpool(self._greeting)
        while page := await run_in_threadpool(self._page):
            yield page
        while True:
            waiting = await listener.take(COMMENT_EVERY_S)
            if part := self._joined(waiting) if waiting else COMMENT:
                yield part

    def _greeting(self) -> bytes:
        if self._seen == FROM_NOW_ON:
            with self._database.reading() as session:
                self._seen = queries.newest_id(session)
        return message.hello(self._seen)

    def _page(self) -> bytes:
        """The next events from the database; a reset where some of them are gone; nothing at the end."""
        if not self._topics.has_jobs:
            return b""
        job_ids = self._topics.job_ids
        with self._database.reading() as session:
            newest = queries.newest_id(session)
            # Ids only grow, so one that we never gave is of another database.
            if self._seen > newest or queries.has_lost_any_after(session, self._seen, job_ids):
                self._seen = newest
                return message.reset(newest)
            rows = queries.events_after(session, self._seen, PAGE, job_ids)
        return self._joined([message.of_event(row) for row in rows])

    def _joined(self, messages: list[Message]) -> bytes:
        fresh = [each for each in messages if each.id == 0 or each.id > self._seen]
        self._seen = max((each.id for each in fresh), default=self._seen)
        return b"".join(each.data for each in fresh)


async def _until_disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _cancel(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _look_at(done: set[asyncio.Task[None]]) -> None:
    """A database that is away ends the stream, and the client comes again; every other fault is raised."""
    for task in done:
        try:
            task.result()
        except Unavailable as fault:
            log.warning("a stream ends: %s", fault)
