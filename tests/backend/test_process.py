"""`python -m backend` as a process: it starts, serves, and ends at once although a stream is open."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from backend.server import server_of
from tunedeck.settings import Settings

START_TIMEOUT_S = 60
STOP_TIMEOUT_S = 20


@pytest.fixture
def deployment(tmp_path: Path) -> Settings:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return Settings(data_dir=tmp_path / "data", port=free.getsockname()[1])


@pytest.fixture
def process(deployment: Settings, tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    with (tmp_path / "log").open("wb") as log:
        started = subprocess.Popen(
            [sys.executable, "-m", "backend"], env=os.environ | deployment.as_env(), stdout=log, stderr=log
        )
    yield started
    started.kill()
    started.wait()


def _client(deployment: Settings, process: subprocess.Popen[bytes]) -> httpx.Client:
    """A client that has logged in, once the process answers."""
    client = httpx.Client(base_url=f"http://127.0.0.1:{deployment.port}", timeout=30)
    give_up_at = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < give_up_at and process.poll() is None:
        try:
            client.get("/login")
        except httpx.TransportError:
            time.sleep(0.05)
            continue
        client.headers["Authorization"] = f"Bearer {deployment.token_file.read_text().strip()}"
        return client
    raise AssertionError("the backend did not start")


def test_it_ends_at_a_signal_although_a_stream_is_open(
    deployment: Settings, process: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    client = _client(deployment, process)
    with client.stream("GET", "/api/v1/stream") as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        assert "content-encoding" not in stream.headers
        parts = stream.iter_text()
        assert "event: hello" in next(parts) + next(parts)
        process.send_signal(signal.SIGTERM)
        for _ in parts:
            pass
    assert process.wait(STOP_TIMEOUT_S) in (0, -signal.SIGTERM)
    log = (tmp_path / "log").read_text()
    assert "Application shutdown complete" in log
    assert "graceful shutdown exceeded" not in log


def test_what_was_stored_is_there_after_a_kill_and_a_new_start(
    deployment: Settings, process: subprocess.Popen[bytes]
) -> None:
    client = _client(deployment, process)
    client.get("/login", params={"token": deployment.token_file.read_text().strip()})
    cookies = dict(client.cookies)
    process.kill()
    process.wait()
    again = subprocess.Popen([sys.executable, "-m", "backend"], env=os.environ | deployment.as_env())
    try:
        _client(deployment, again)
        with httpx.Client(base_url=client.base_url, cookies=cookies) as browser:
            assert browser.get("/api/v1/jobs").status_code == 200
    finally:
        again.terminate()
        again.wait(STOP_TIMEOUT_S)


def test_the_event_loop_is_uvloop(deployment: Settings) -> None:
    factory = server_of(deployment).config.get_loop_factory()
    assert factory is not None
    loop = factory()
    loop.close()
    assert type(loop).__module__.startswith("uvloop")
