"""The backend's connection to the bus. Calls give up after seconds: trying again is the business of the loops.

Retries inside the client were rejected: they would hide a restart of the bus from those who must notice it.
"""

from __future__ import annotations

import redis

SOCKET_TIMEOUT_S = 5.0


def connect(url: str) -> redis.Redis:
    """A client for `url` (redis:// or unix://). Connects at the first call; every call may raise redis.RedisError."""
    return redis.Redis.from_url(
        url,
        socket_timeout=SOCKET_TIMEOUT_S,
        socket_connect_timeout=SOCKET_TIMEOUT_S,
        decode_responses=True,
        protocol=2,  # the shape of an answer must not depend on the server's age
        **({} if url.startswith("unix:") else {"socket_keepalive": True}),
    )
