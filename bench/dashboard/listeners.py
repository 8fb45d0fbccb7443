"""Many open streams in one process, for many_dashboards.py.

    python -m bench.dashboard.listeners PORT NUMBER

Reads the Authorization header from its input, says "open" when all streams are, then reads how many step events each
must hear, and prints how many were heard and what one stream in twenty says of their delay. Plain sockets: a client of
HTTP would take more of the two cores than the backend that is measured.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from typing import cast

import uvloop

PATIENCE_S = 30.0
TIMED = 20
_STEP = re.compile(rb"event: step\ndata: (\{.*\})\n")


class Stream(asyncio.Protocol):
    def __init__(self, request: bytes, is_timed: bool) -> None:
        self.num_steps = 0
        self.is_open = asyncio.Event()
        self.latencies_ms: list[float] = []
        self._request = request
        self._is_timed = is_timed
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast("asyncio.Transport", transport).write(self._request)  # uvloop's is none by its class

    def data_received(self, data: bytes) -> None:
        data = self._rest + data
        end = data.rfind(b"\n\n") + 2
        whole, self._rest = data[:end], data[end:]
        if b"event: hello" in whole:
            self.is_open.set()
        self.num_steps += whole.count(b"event: step\n")
        if self._is_timed:
            now = time.time()
            self.latencies_ms += [1000 * (now - json.loads(found)["t"]) for found in _STEP.findall(whole)]


async def listen(port: int, number: int, authorization: str) -> None:
    request = (
        f"GET /api/v1/stream HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: {authorization}\r\n\r\n".encode()
    )
    loop = asyncio.get_running_loop()
    streams = []
    for at in range(number):
        stream = Stream(request, is_timed=at % TIMED == 0)
        await loop.create_connection(lambda stream=stream: stream, "127.0.0.1", port)  # type: ignore[misc]
        await stream.is_open.wait()
        streams.append(stream)
    print("open", flush=True)
    num_sent = int(await loop.run_in_executor(None, sys.stdin.readline))
    deadline = time.monotonic() + PATIENCE_S
    while min(stream.num_steps for stream in streams) < num_sent and time.monotonic() < deadline:
        await asyncio.sleep(0.1)
    heard = {
        "num_steps": sum(min(stream.num_steps, num_sent) for stream in streams),
        "latencies_ms": [each for stream in streams for each in stream.latencies_ms],
    }
    print(json.dumps(heard), flush=True)


if __name__ == "__main__":
    uvloop.run(listen(int(sys.argv[1]), int(sys.argv[2]), sys.stdin.readline().strip()))
