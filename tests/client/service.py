"""A stand-in for the service over real HTTP: it says what it was told to say, and keeps what it was asked."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: Any


@dataclass
class StandIn:
    """`answers`: per "METHOD /path" in turn, the last one for ever. `streams`: one text a connection."""

    url: str = ""
    answers: dict[str, list[tuple[int, Any]]] = field(default_factory=dict)
    streams: list[str] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)

    def on(self, call: str, *answers: Any, status: int = 200) -> None:
        self.answers[call] = [(status, answer) for answer in answers]

    def answer(self, call: str) -> tuple[int, Any]:
        waiting = self.answers.get(call)
        if not waiting:
            error = {"code": "not_found", "message": f"the stand-in knows no {call}", "mend": "", "problems": []}
            return 404, {"error": error}
        return waiting.pop(0) if len(waiting) > 1 else waiting[0]


@contextmanager
def stand_in() -> Iterator[StandIn]:
    service = StandIn()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(service))
    service.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield service
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _handler(service: StandIn) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._serve()

        def do_POST(self) -> None:
            self._serve()

        def do_PUT(self) -> None:
            self._serve()

        def _serve(self) -> None:
            url = urlsplit(self.path)
            content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            is_json = headers.get("content-type") == "application/json"
            body = json.loads(content) if is_json and content else content
            service.asked.append(Asked(self.command, url.path, parse_qs(url.query), headers, body))
            if url.path == "/api/v1/stream":
                text = service.streams.pop(0) if service.streams else ""
                self._send(200, "text/event-stream", text.encode())
                return
            status, answer = service.answer(f"{self.command} {url.path.removeprefix('/api/v1')}")
            text_type = "text/html" if isinstance(answer, str) else "application/json"
            self._send(status, text_type, answer.encode() if isinstance(answer, str) else json.dumps(answer).encode())

        def _send(self, status: int, content_type: str, content: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            return

    return Handler
