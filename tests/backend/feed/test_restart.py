"""A backend that is killed in mid-run: who listened before hears everything after, once."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from backend.db.database import Database
from tests.backend.feed.conftest import parsed
from tests.support.jobs import add_running_job, events_message, step_line
from tests.support.valkey import ValkeyServer
from tunedeck.bus import EVENTS_STREAM
from tunedeck.settings import Settings

LAST_STEP = 300
TIMEOUT_S = 90


class Process:
    """`python -m backend`, which may be killed and started again."""

    def __init__(self, settings: Settings, log: Path) -> None:
        self._settings = settings
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._log.open("ab") as log:
            command = [sys.executable, "-m", "backend"]
            self._process = subprocess.Popen(command, env=os.environ | self._settings.as_env(), stdout=log, stderr=log)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()


class EventSource:
    """Listens as a browser does: comes again after every interruption with the last id that it saw."""

    def __init__(self, settings: Settings) -> None:
        self.steps: list[int] = []
        self.num_interruptions = 0
        self._settings = settings
        self._last_id = "0"
        self._deadline = time.monotonic() + TIMEOUT_S

    def listen_until(self, step: int) -> None:
        while self.steps[-1:] != [step]:
            assert time.monotonic() < self._deadline, f"heard {len(self.steps)} steps"
            try:
                self._listen(step)
            except httpx.TransportError:
                self.num_interruptions += 1
                time.sleep(0.1)

    def _listen(self, step: int) -> None:
        token = self._settings.token_file.read_text().strip()
        headers = {"Authorization": f"Bearer {token}", "Last-Event-ID": self._last_id}
        url = f"http://127.0.0.1:{self._settings.port}/api/v1/stream"
        with httpx.stream("GET", url, headers=headers, timeout=20) as response:
            block = ""
            for line in response.iter_lines():
                block += line + "\n"
                if line:
                    continue
                for heard in parsed(block):
                    self._last_id = heard.id or self._last_id
                    if heard.event == "step":
                        self.steps.append(heard.data["payload"]["step"])
                block = ""
                if self.steps[-1:] == [step]:
                    return


@pytest.fixture
def deployed(settings: Settings, valkey: ValkeyServer) -> Settings:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return settings.model_copy(update={"redis_url": valkey.url, "port": free.getsockname()[1]})


@pytest.fixture
def process(deployed: Settings, tmp_path: Path) -> Iterator[Process]:
    made = Process(deployed, tmp_path / "log")
    yield made
    made.kill()


def test_a_killed_backend_loses_and_doubles_nothing(deployed: Settings, process: Process, valkey: ValkeyServer) -> None:
    job_id = job_in(deployed)
    process.start()
    wait_for_start(deployed)
    source = EventSource(deployed)
    listening = threading.Thread(target=source.listen_until, args=(LAST_STEP,))
    listening.start()
    bus = valkey.client()
    for step in range(1, LAST_STEP + 1):
        bus.xadd(EVENTS_STREAM, {"m": events_message(job_id, [step_line(step, step)]).model_dump_json()})
        time.sleep(0.01)
        if step == LAST_STEP // 2:
            process.kill()
            process.start()
    listening.join(TIMEOUT_S)
    assert source.steps == list(range(1, LAST_STEP + 1))
    assert source.num_interruptions > 0


def job_in(settings: Settings) -> str:
    database = Database(settings.resolved_database_url())
    with database.writing() as session:
        job_id = add_running_job(session, time.time(), lease_s=3600).id
    database.close()
    return job_id


def wait_for_start(settings: Settings) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while time.monotonic() < deadline:
        try:
            httpx.get(f"http://127.0.0.1:{settings.port}/login", timeout=20)
            return
        except httpx.TransportError:
            time.sleep(0.05)
    raise AssertionError("the backend did not start")
