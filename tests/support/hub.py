"""A stand-in for the Hugging Face hub: data sets below a folder, over as much of its HTTP interface as `datasets` asks.

The paths, the JSON of a repository and its tree, ranges, and the header by which a refusal says why are those of the
real one, which tells no stranger whether a repository is private or does not exist: both are 401 RepoNotFound.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"
REVISIONS = ("main", COMMIT)


@dataclass
class Hub:
    """Has the data sets root/OWNER/NAME; those of the owner `private` want the token. A broken one loses the connection
    in the middle of each file."""

    root: Path
    url: str = ""
    token: str = "secret"
    is_broken: bool = False


class _Requests(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: Hub

    def log_message(self, *_: Any) -> None: ...

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        """/api/datasets/OWNER/NAME/(revision|tree)/REVISION/PATH or /datasets/OWNER/NAME/resolve/REVISION/PATH"""
        parts = [unquote(part) for part in urlsplit(self.path).path.strip("/").split("/")]
        is_api = parts[0] == "api"
        owner, name, *rest = parts[2 if is_api else 1 :]
        call, revision, *path = rest or ("revision", "main")
        folder = self.hub.root / owner / name
        if not folder.is_dir() or (owner == "private" and self.headers["Authorization"] != f"Bearer {self.hub.token}"):
            self._refuse(401, "RepoNotFound")
        elif revision not in REVISIONS:
            self._refuse(404, "RevisionNotFound")
        elif not (folder / "/".join(path)).exists():
            self._refuse(404, "EntryNotFound")
        elif call == "resolve":
            self._send_file(folder / "/".join(path))
        elif call == "tree":
            self._send_json([_entry(folder, each) for each in sorted((folder / "/".join(path)).iterdir())])
        else:
            self._send_json({"id": f"{owner}/{name}", "sha": COMMIT, "private": owner == "private", "siblings": []})

    def _send_file(self, file: Path) -> None:
        content = file.read_bytes()
        first, _, last = self.headers.get("Range", "bytes=0-").removeprefix("bytes=").partition("-")
        part = content[int(first) : int(last) + 1 if last else None]
        self.send_response(206 if "Range" in self.headers else 200)
        self.send_header("Content-Range", f"bytes {first}-{int(first) + len(part) - 1}/{len(content)}")
        self.send_header("ETag", f'"{hashlib.sha1(content).hexdigest()}"')
        self.send_header("X-Repo-Commit", COMMIT)
        self._send(part, len(part) // 2 if self.hub.is_broken and file.name != "README.md" else len(part))

    def _send_json(self, told: Any) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        text = json.dumps(told).encode()
        self._send(text, len(text))

    def _refuse(self, status: int, code: str) -> None:
        self.send_response(status)
        self.send_header("X-Error-Code", code)
        self._send(b"", 0)

    def _send(self, content: bytes, num_bytes: int) -> None:
        """`num_bytes` of what is announced; then the line is gone."""
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content[:num_bytes])
        self.close_connection = num_bytes < len(content)


def _entry(folder: Path, path: Path) -> dict[str, Any]:
    kind, size = ("directory", 0) if path.is_dir() else ("file", path.stat().st_size)
    return {"type": kind, "path": str(path.relative_to(folder)), "oid": "0" * 40, "size": size}


@contextmanager
def serving(root: Path) -> Iterator[Hub]:
    hub = Hub(root)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Requests", (_Requests,), {"hub": hub}))
    hub.url = f"http://127.0.0.1:{server.server_port}"
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
