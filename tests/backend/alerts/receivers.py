"""A receiver of webhooks and a mail server, both real, on ports of this machine."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword

from tunedeck.up.port import free_port


@dataclass
class Hook:
    """Answers with the next of `statuses`, then 204. `got` are headers and bodies, also of those it refused."""

    url: str = ""
    statuses: list[int] = field(default_factory=list)
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)


@contextmanager
def hook_listening(*statuses: int) -> Iterator[Hook]:
    hook = Hook(statuses=list(statuses))

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            hook.got.append((dict(self.headers), body))
            self.send_response(hook.statuses.pop(0) if hook.statuses else 204)
            self.send_header("Location", "/elsewhere")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    hook.url = f"http://127.0.0.1:{server.server_port}/hook/very-secret-path"
    yield hook
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
    """A mail server that takes mail only from `sender` with `password`, and only over TLS."""

    port: int = 0
    mails: list[Envelope] = field(default_factory=list)

    async def handle_DATA(self, server: Any, session: Any, envelope: Envelope) -> str:  # noqa: N802  # aiosmtpd's name
        self.mails.append(envelope)
        return "250 taken"


@contextmanager
def mail_server(context: Any, *, tls_from_the_start: bool) -> Iterator[Mailbox]:
    box = Mailbox()

    def authenticate(server: Any, session: Any, envelope: Any, mechanism: str, given: Any) -> AuthResult:
        wanted = LoginPassword(b"robot", b"very-secret-password")
        return AuthResult(success=given == wanted, handled=False)

    tls = {"ssl_context": context} if tls_from_the_start else {"tls_context": context, "require_starttls": True}
    controller = Controller(
        box,
        hostname="127.0.0.1",
        port=free_port("127.0.0.1", 0),
        authenticator=authenticate,
        auth_required=True,
        auth_require_tls=not tls_from_the_start,
        **tls,
    )
    controller.start()
    box.port = controller.port
    yield box
    controller.stop()
