"""Posts JSON, signed: HMAC-SHA256 under the channel's secret over `TIMESTAMP.BODY`, in the header Tunedeck-Signature.

The time is signed with the body, so that a receiver can refuse what is old, and the id stays the same at every try, so
that it can drop what it has already had; docs/alerts.md shows a receiver. It goes only where an administrator has said:
redirects are not followed, proxies of the environment not asked, link-local addresses and those under which clouds
hand out credentials refused (no others: receivers live in local networks), and of the answer nothing is read but its
status. The time limit is for all of it: httpx alone starts anew with every byte that a slow receiver sends.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import ipaddress
import socket
import time
from typing import Any
from urllib.parse import urlsplit

import httpx

from backend.alerts.channels.letter import Letter, NotDelivered

TIMEOUT_S = 10.0
# Of Amazon and of Alibaba; the others are link-local.
_METADATA = frozenset(map(ipaddress.ip_address, ("fd00:ec2::254", "100.100.100.200")))
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


def send(letter: Letter, secret: dict[str, Any]) -> None:
    """`secret` has `url` and `key`. Raises NotDelivered."""
    url, body = str(secret["url"]), letter.body()
    _refuse_metadata(url)
    try:
        status = asyncio.run(_status_of(url, body, _headers(letter, str(secret["key"]), body)))
    except (httpx.HTTPError, TimeoutError) as fault:
        raise NotDelivered(f"no answer: {type(fault).__name__}") from None  # its words may have the address in them
    if not 200 <= status < 300:
        raise NotDelivered(f"the answer was {status}, not 2xx")


async def _status_of(url: str, body: bytes, headers: dict[str, str]) -> int:
    async with (
        asyncio.timeout(TIMEOUT_S),
        httpx.AsyncClient(timeout=None, follow_redirects=False, trust_env=False) as client,
        client.stream("POST", url, content=body, headers=headers) as answer,
    ):
        return answer.status_code


def signature(key: str, timestamp: str, body: bytes) -> str:
    """Hexadecimal, behind the version of the scheme."""
    return "v1=" + hmac.new(key.encode(), f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()


def _headers(letter: Letter, key: str, body: bytes) -> dict[str, str]:
    timestamp = str(int(time.time()))
    return {
        "Content-Type": "application/json",
        "User-Agent": "Tunedeck",
        "Tunedeck-Delivery": letter.id,
        "Tunedeck-Timestamp": timestamp,
        "Tunedeck-Signature": signature(key, timestamp, body),
    }


def _refuse_metadata(url: str) -> None:
    """169.254.169.254 and its like hand out credentials of the machine."""
    parts = urlsplit(url)
    try:
        found = socket.getaddrinfo(parts.hostname, parts.port or 443, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise NotDelivered("its host has no address") from None
    for *_, (address, *_) in found:
        if is_metadata(str(address)):
            raise NotDelivered("its host is a link-local address, or one of a cloud's metadata")


def is_metadata(address: str) -> bool:
    """Whether it is link-local or one of those below, also where an IPv6 address stands for that IPv4 address."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        # Of itself, Python knows what a mapped address stands for from 3.13 on only.
        found = found.ipv4_mapped or (ipaddress.IPv4Address(int(found) & 0xFFFFFFFF) if found in _NAT64 else found)
    return found.is_link_local or found in _METADATA
