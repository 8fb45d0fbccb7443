"""A client of the stream, at the level of ASGI: it decides when it reads and when it is gone."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from starlette.types import Message

from backend.feed.stream import FeedResponse


@dataclass
class Heard:
    """One server-sent event."""

    id: str = ""
    event: str = ""
    data: dict[str, Any] = field(default_factory=dict)


def parsed(text: str) -> list[Heard]:
    """The events in one part of a stream: a part never ends inside a message. Comments and retry lines are none."""
    found = []
    for block in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line and line[0] != ":")
        if "event" in fields:
            found.append(Heard(fields.get("id", ""), fields["event"], json.loads(fields["data"])))
    return found


class Client:
    """Runs a response as a server would."""

    def __init__(self, response: FeedResponse) -> None:
        self.heard: list[Heard] = []
        self.is_finished = False
        self.may_read = asyncio.Event()
        self.may_read.set()
        self._gone = asyncio.Event()
        self._task = asyncio.create_task(response({"type": "http"}, self._receive, self._send))

    @property
    def steps(self) -> list[int]:
        return [each.data["payload"]["step"] for each in self.heard if each.event == "step"]

    async def until_heard(self, num_events: int) -> None:
        await self.until(lambda: len(self.heard) >= num_events)

    async def until_step(self, step: int) -> None:
        await self.until(lambda: self.steps[-1:] == [step])

    async def until_over(self) -> None:
        await self.until(self._task.done)

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not condition():
                await asyncio.sleep(0.005)

    async def leave(self) -> None:
        self._gone.set()
        await self._task

    async def _receive(self) -> Message:
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        await self.may_read.wait()
        if message["type"] == "http.response.body":
            self.heard += parsed(message["body"].decode())
            self.is_finished = not message.get("more_body", False)
