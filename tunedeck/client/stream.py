"""The server-sent stream as an endless iterator: a broken connection is opened again with Last-Event-ID.

Messages with an id come in order and are not repeated; `hello` comes again after every reconnect. `reset` means that
the service no longer has what came after our last id: the caller fetches everything again. The parser is our own
because the service sends only `id`, `event`, `data` on one line each, and comments.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from tunedeck.client.faults import from_transport, raise_for_error
from tunedeck.errors import Unavailable

CONNECT_S = 10.0
SILENCE_S = 45.0  # the service sends a comment every 15 s: three missed ones mean that the line is dead
RECONNECT_DELAYS_S = (0.2, 0.5, 1.0, 2.0, 5.0, 5.0, 5.0, 5.0, 5.0, 5.0)


@dataclass(frozen=True)
class StreamMessage:
    """`id` is "" for messages that cannot be replayed (log, hello, reset)."""

    event: str
    data: dict[str, Any]
    id: str


def read_stream(http: httpx.Client, path: str, job_ids: Sequence[str], last_event_id: str) -> Iterator[StreamMessage]:
    """Until the caller stops. Raise Unavailable after some 30 s without a service, and what it refuses."""
    num_failures = 0
    while True:
        try:
            for message in _connection(http, path, job_ids, last_event_id):
                num_failures = 0
                last_event_id = message.id or last_event_id or str(message.data.get("cursor", ""))
                yield message
        except httpx.TransportError as error:
            if num_failures == len(RECONNECT_DELAYS_S):
                raise from_transport(error, str(http.base_url)) from error
        except Unavailable:  # a proxy in front of a backend that is starting again
            if num_failures == len(RECONNECT_DELAYS_S):
                raise
        time.sleep(RECONNECT_DELAYS_S[min(num_failures, len(RECONNECT_DELAYS_S) - 1)])
        num_failures += 1


def _connection(http: httpx.Client, path: str, job_ids: Sequence[str], last_event_id: str) -> Iterator[StreamMessage]:
    """Messages of one connection, until the service ends it."""
    headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": last_event_id} if last_event_id else {})
    timeout = httpx.Timeout(CONNECT_S, read=SILENCE_S)
    with http.stream("GET", path, params={"job": list(job_ids)}, headers=headers, timeout=timeout) as response:
        if not response.is_success:
            response.read()
        raise_for_error(response)
        yield from parse(response.iter_lines())


def parse(lines: Iterator[str]) -> Iterator[StreamMessage]:
    """Messages of a stream of lines. A message that the end of the connection cut off is dropped."""
    fields: dict[str, str] = {}
    for line in lines:
        if line == "":
            if "data" in fields:
                yield StreamMessage(fields.get("event", "message"), json.loads(fields["data"]), fields.get("id", ""))
            fields = {}
        elif not line.startswith(":"):
            name, _, value = line.partition(":")
            fields[name] = value.removeprefix(" ")
