"""Posts JSON, signed: HMAC-SHA256 under the channel's secret over `TIMESTAMP.BODY`, in the header Tunedeck-Signature.

The time is signed with the body, so that a receiver can refuse what is old, and the id stays the same at every try, so
that it can drop what it has already had; docs/alerts.md shows a receiver. It goes only where an administrator has said:
redirects are not followed, proxies of the environment not asked, addresses that only this machine or its cloud can mean
by themselves (link-local) refused, and of the answer nothing is shown but its status.
"""

from __future__ import annotations

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


def send(letter: Letter, secret: dict[str, Any]) -> None:
    """`secret` has `url` and `key`. Raises NotDelivered."""
    url, body = str(secret["url"]), letter.body()
    _refuse_link_local(url)
    try:
        with httpx.Client(timeout=TIMEOUT_S, follow_redirects=False, trust_env=False) as client:
            status = client.post(url, content=body, headers=_headers(letter, str(secret["key"]), body)).status_code
    except httpx.HTTPError as fault:
        raise NotDelivered(f"no answer: {type(fault).__name__}") from None  # its words may have the address in them
    if not 200 <= status < 300:
        raise NotDelivered(f"the answer was {status}, not 2xx")


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


def _refuse_link_local(url: str) -> None:
    """169.254.169.254 and its like hand out credentials of the machine."""
    parts = urlsplit(url)
    try:
        found = socket.getaddrinfo(parts.hostname, parts.port or 443, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise NotDelivered("its host has no address") from None
    for *_, (address, *_) in found:
        if ipaddress.ip_address(str(address).partition("%")[0]).is_link_local:
            raise NotDelivered("its host is a link-local address")
