"""`POST /jobs` beside a bare FastAPI route with one insert, on the same database, one after the other in turns.

Goal: at least half its rate. The client writes the same bytes again and again over open connections, so that it takes
as little as possible of the two cores that it shares with the server.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import time
from typing import Any

from sqlalchemy import text

from backend.db.database import Database
from bench.queue.bare_route import TABLE
from bench.queue.databases import Kind
from bench.queue.service import Service, service
from bench.queue.stock import stock
from tests.support.backend import SPEC

NUM_CONNECTIONS = 8
ROUNDS = 3
GOAL = 0.5


def measure(kind: Kind, num_requests: int) -> dict[str, Any]:
    """One row: requests a second, medians of the rounds."""
    rates: dict[str, list[float]] = {"backend": [], "bare": []}
    cpu_ms: dict[str, list[float]] = {"backend": [], "bare": []}
    with service(kind) as made:
        _make_table(made)
        for _ in range(ROUNDS):
            for name, module in (("backend", "backend"), ("bare", "bench.queue.bare_route")):
                made.start_backend(module)
                if name == "backend":
                    stock(made, is_drained=True)
                before = made.cpu_s("backend")
                elapsed_s = asyncio.run(_post(made, num_requests))
                rates[name].append(num_requests / elapsed_s)
                cpu_ms[name].append(1000 * (made.cpu_s("backend") - before) / num_requests)
                made.end("backend")
    ours, bare = (statistics.median(rates[name]) for name in ("backend", "bare"))
    return {
        "what": "posting",
        "database": kind,
        "peer": "bare FastAPI route",
        "jobs_per_s": round(ours, 1),
        "bare_inserts_per_s": round(bare, 1),
        "ratio": round(ours / bare, 3),
        "cpu_ms_per_job": round(statistics.median(cpu_ms["backend"]), 2),
        "cpu_ms_per_bare_insert": round(statistics.median(cpu_ms["bare"]), 2),
        "goals_met": ours >= GOAL * bare,
    }


def _make_table(made: Service) -> None:
    database = Database(made.settings.resolved_database_url())
    with database.connecting() as connection:
        connection.execute(text(TABLE))
    database.close()


async def _post(made: Service, num_requests: int) -> float:
    """Seconds for all of them."""
    request = _request(made)
    each = num_requests // NUM_CONNECTIONS
    began = time.monotonic()
    await asyncio.gather(*(_connection(made.settings.port, request, each) for _ in range(NUM_CONNECTIONS)))
    return time.monotonic() - began


def _request(made: Service) -> bytes:
    body = json.dumps(SPEC).encode()
    token = made.headers["Authorization"]
    head = f"POST /api/v1/jobs HTTP/1.1\r\nHost: 127.0.0.1:{made.settings.port}\r\nAuthorization: {token}\r\n"
    return f"{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


async def _connection(port: int, request: bytes, num_requests: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for _ in range(num_requests):
        writer.write(request)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        assert head.startswith(b"http/1.1 201"), head
        length = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])
        await reader.readexactly(length)
    writer.close()
