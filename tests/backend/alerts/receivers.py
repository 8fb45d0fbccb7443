"""A receiver of webhooks and a mail server, both real, on ports of this machine."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword


@dataclass
class Hook:
    """Answers with the next of `statuses`, then 204, but only while `may_answer`, and ends its answer while `may_end`.
    `got` are headers and bodies, also of those it refused."""

    url: str = ""
    statuses: list[int] = field(default_factory=list)
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    may_answer: Event = field(default_factory=Event)
    may_end: Event = field(default_factory=Event)


@contextmanager
def hook_listening(*statuses: int) -> Iterator[Hook]:
    hook = Hook(statuses=list(statuses))
    hook.may_answer.set()
    hook.may_end.set()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            hook.got.append((dict(self.headers), body))
            hook.may_answer.wait()
            self.send_response(hook.statuses.pop(0) if hook.statuses else 204)
            self.send_header("Location", "/elsewhere")
            self.end_headers()
            hook.may_end.wait()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    hook.url = f"http://127.0.0.1:{server.server_port}/hook/very-secret-path"
    try:
        yield hook
    finally:
        hook.may_answer.set()
        hook.may_end.set()
        server.shutdown()
        server.server_close()
        thread.join()


def is_signed(key: str, headers: dict[str, str], body: bytes) -> bool:
    """As docs/alerts.md tells a receiver to check it, without any of our code."""
    signed = headers["Tunedeck-Timestamp"].encode() + b"." + body
    expected = "v1=" + hmac.new(key.encode(), signed, hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected, headers["Tunedeck-Signature"])


@dataclass
class Mailbox:
    """A mail server that takes mail only from `sender` with `password`, and only over TLS; none for `unknown`."""

    port: int = 0
    unknown: str = ""
    farewell: str = "221 bye"
    mails: list[Envelope] = field(default_factory=list)

    async def handle_DATA(self, server: Any, session: Any, envelope: Envelope) -> str:  # noqa: N802  # aiosmtpd's name
        self.mails.append(envelope)
        return "250 taken"

    async def handle_RCPT(  # noqa: N802
        self, server: Any, session: Any, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address == self.unknown:
            return "550 nobody of that name"
        envelope.rcpt_tos.append(address)
        return "250 known"

    async def handle_QUIT(self, server: Any, session: Any, envelope: Envelope) -> str:  # noqa: N802
        return self.farewell


class _OnAnyPort(Controller):
    def _trigger_server(self) -> None:
        """The first that is called once it listens."""
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


@contextmanager
def mail_server(context: Any, *, tls_from_the_start: bool) -> Iterator[Mailbox]:
    box = Mailbox()

    def authenticate(server: Any, session: Any, envelope: Any, mechanism: str, given: Any) -> AuthResult:
        wanted = LoginPassword(b"robot", b"very-secret-password")
        return AuthResult(success=given == wanted, handled=False)

    tls = {"ssl_context": context} if tls_from_the_start else {"tls_context": context, "require_starttls": True}
    controller = _OnAnyPort(
        box,
        hostname="127.0.0.1",
        port=0,
        authenticator=authenticate,
        auth_required=True,
        auth_require_tls=not tls_from_the_start,
        **tls,
    )
    controller.start()
    box.port = controller.port
    try:
        yield box
    finally:
        controller.stop()
