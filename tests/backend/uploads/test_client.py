"""The client's upload against a real server: broken off in the middle, it goes on where it was."""

from __future__ import annotations

import resource
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from backend.server import server_of
from tests.support.backend import write_dataset
from tests.support.uploads import PART, UPLOADS
from tunedeck.client import Client, sending
from tunedeck.errors import BadInput
from tunedeck.settings import Settings

pytestmark = pytest.mark.any_database


@pytest.fixture
def served(settings: Settings) -> Iterator[tuple[str, str]]:
    """Address and token of a backend behind a real uvicorn."""
    server = server_of(settings.model_copy(update={"port": 0}))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the backend did not start"
        time.sleep(0.02)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}", settings.token_file.read_text().strip()
    server.should_exit = True
    thread.join(20)


class Unreliable(httpx.HTTPTransport):
    """Breaks every third part off, behind the server's back or before it has heard of it."""

    num_parts = 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if request.method != "PATCH":
            return super().handle_request(request)
        self.num_parts += 1
        if self.num_parts % 3 == 0:
            raise httpx.ConnectError("broken before it was sent")
        answer = super().handle_request(request)
        if self.num_parts % 3 == 1:
            raise httpx.ReadError("broken before the answer came")
        return answer


def test_a_broken_connection_costs_a_part_and_not_the_upload(
    served: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "PART_BYTES", 1000)
    monkeypatch.setattr(sending, "_FIRST_PAUSE_S", 0.01)
    file = write_dataset(tmp_path / "chats.jsonl", num_rows=60)
    seen: list[tuple[int, int]] = []
    with Client(*served, transport=Unreliable()) as client:
        upload, sha256 = client.send_file(file, lambda sent, total: seen.append((sent, total)))
        added = client.add_dataset("chats", upload=upload, sha256=sha256)
    assert (added.num_rows, added.content_sha256) == (60, sha256)
    assert seen[-1] == (file.stat().st_size, file.stat().st_size)


def test_a_second_run_of_the_program_goes_on_with_the_same_file(
    served: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "PART_BYTES", 1000)
    file = write_dataset(tmp_path / "chats.jsonl", num_rows=60)

    def interrupted(sent: int, _: int) -> None:
        if sent >= 3000:
            raise KeyboardInterrupt

    with Client(*served) as client:
        with pytest.raises(KeyboardInterrupt):
            client.send_file(file, interrupted)
        (left,) = client.uploads()
        assert left.offset == 3000
        upload, _ = client.send_file(file)
        assert upload == left.id
        with pytest.raises(BadInput, match="cannot be read"):
            client.send_file(tmp_path / "none.jsonl")


def test_memory_does_not_grow_with_what_is_sent(served: tuple[str, str], settings: Settings) -> None:
    """64 MiB; the client is in this process too, and makes its pieces as they go."""
    address, token = served
    headers = {"Authorization": f"Bearer {token}"}
    with httpx.Client(base_url=address, headers=headers, timeout=60, trust_env=False) as client:
        begun = client.post(UPLOADS, headers={"Upload-Length": str(64 << 20)}).headers["location"]
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        pieces = (b"x" * (1 << 20) for _ in range(64))
        answer = client.patch(begun, content=pieces, headers=PART | {"Upload-Offset": "0"})
    assert answer.status_code == 204
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) << 10 < 24 << 20
