"""A real `python -m worker` with the fake engine, and what can be seen of its processes from outside."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from tunedeck.settings import Settings

ROOT = Path(__file__).resolve().parents[2]


class WorkerProcess:
    def __init__(self, settings: Settings) -> None:
        self._data_dir = str(settings.data_dir.resolve())
        environment = {**os.environ, **settings.as_env(), "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-m", "worker", "--engine-module", "tests.worker.fake_engine"]
        self.process = subprocess.Popen(command, env=environment, cwd=ROOT, start_new_session=True)

    @property
    def pid(self) -> int:
        return self.process.pid

    def running(self, text: str) -> list[psutil.Process]:
        """Processes, anywhere on the machine, that work on this test's data folder and have `text` in their command."""
        found = []
        for process in psutil.process_iter(["cmdline", "status"]):
            command = " ".join(process.info["cmdline"] or ())
            if text in command and self._data_dir in command and process.info["status"] != psutil.STATUS_ZOMBIE:
                found.append(process)
        return found

    def engines(self) -> list[psutil.Process]:
        engines = self.running("fake_engine")
        return [engine for engine in engines if "worker.supervisor" not in engine.info["cmdline"]]

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        wait_until(lambda: not self.running(""), 15)


def wait_until(is_so: Callable[[], Any], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not so within {seconds} s")
        time.sleep(0.05)
