"""Who may ask at all, and how much: our own host names, our own pages, only who is logged in. Closed by default.

The guards are middleware, not dependencies of routes: a route that forgets one cannot exist, and a stranger's body is
refused before it is read. A foreign `Host` is refused because a foreign site may point its name at 127.0.0.1 (DNS
rebinding); a foreign `Origin` because a browser sends our cookie along (cross-site requests). CSRF tokens were
rejected: the Origin check does the same without state.
"""

from __future__ import annotations

import time
from urllib.parse import urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from backend.accounts.service import SESSION_COOKIE, RecentLogins, require_login
from backend.db.database import Database
from backend.http.errors import error_response
from tunedeck.errors import OriginRefused, TooLarge, TunedeckError
from tunedeck.settings import Settings

# A spec has some 2 KB. Uploads, the only large bodies, have a limit of their own.
MAX_BODY_BYTES = 1 << 20
UPLOAD_PREFIX = "/api/v1/uploads/"
OPEN_PATHS = ("/login",)
OPEN_PREFIXES = ("/static/",)
_LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")


class Guards:
    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app = app
        self._recent_logins = RecentLogins()
        self.host_names = frozenset(
            name.strip("[]").lower() for name in (*_LOCAL_NAMES, settings.host, *settings.allowed_hosts)
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request = Request(scope)
        try:
            check_host(request, self.host_names)
            check_origin(request)
            check_length(request)
            if not _is_open(scope["path"]):
                scope.setdefault("state", {})["owner"] = await self._owner_of(request)
        except TunedeckError as error:
            await error_response(request, error)(scope, receive, send)
            return
        await self.app(scope, receive, send)

    async def _owner_of(self, request: Request) -> str:
        """The name of the token by which the caller is logged in: what they make belongs to it."""
        authorization = request.headers.get("authorization", "")
        if authorization and (known := self._recent_logins.name_of(authorization)):
            return known
        owner = await run_in_threadpool(_check_login, request, authorization)
        if authorization:
            self._recent_logins.remember(authorization, owner)
        return owner


def check_host(request: Request, host_names: frozenset[str]) -> None:
    """Raise OriginRefused unless the Host header names us; its port does not matter."""
    host = request.headers.get("host", "")
    if _host_name(host) not in host_names:
        raise OriginRefused(f"the host {host!r} is not one of ours", "add it to TUNEDECK_ALLOWED_HOSTS")


def check_origin(request: Request) -> None:
    """Raise OriginRefused for a request that a page of another origin makes. `null` is foreign too.

    Both schemes are ours: behind a proxy that ends TLS we see http where the browser says https.
    """
    origin = request.headers.get("origin")
    if origin is None:
        return
    if origin.lower() not in (f"{scheme}://{request.headers['host'].lower()}" for scheme in ("http", "https")):
        raise OriginRefused(f"a page of {origin!r} may not ask here", "open Tunedeck under its own address")


def check_length(request: Request) -> None:
    """Raise TooLarge for a body that says itself that it is too long, before it is read. FastAPI would do so too (what
    does not say its length is left to it), but starlette 1.10 answers then in plain text that nothing can change."""
    length = request.headers.get("content-length", "")
    if not request.scope["path"].startswith(UPLOAD_PREFIX) and length.isdecimal() and int(length) > MAX_BODY_BYTES:
        raise TooLarge(f"the body has {int(length):,} bytes", f"send at most {MAX_BODY_BYTES:,} bytes")


def _check_login(request: Request, authorization: str) -> str:
    database: Database = request.app.state.services.database
    return require_login(database, authorization, request.cookies.get(SESSION_COOKIE, ""), time.time())


def _host_name(host: str) -> str:
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""


def _is_open(path: str) -> bool:
    return path in OPEN_PATHS or path.startswith(OPEN_PREFIXES)
