"""`tunedeck up` as users start it: every process real, on a data folder and a port of its own."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import psutil

from tests.support.processes import command_of
from tests.support.waiting import wait_for
from tunedeck.client import Client
from tunedeck.settings import Settings

START_S = 120.0


@dataclass(frozen=True)
class Up:
    url: str
    token: str
    settings: Settings
    process: subprocess.Popen[str]
    join_url: str = ""

    def client(self) -> Client:
        return Client(self.url, self.token)

    def backend(self) -> psutil.Process:
        children = psutil.Process(self.process.pid).children(recursive=True)
        return next(child for child in children if command_of(child)[-2:] == ["-m", "backend"])


@contextmanager
def running_up(data_dir: Path, roots: Sequence[Path] = (), arguments: Sequence[str] = ()) -> Iterator[Up]:
    """A service whose worker has said hello. Models and data sets may also be registered below `roots`."""
    program = Path(sys.executable).with_name("tunedeck")
    command = [str(program), "up", "--data-dir", str(data_dir), "--port", "0", *arguments]
    given = json.dumps([str(root) for root in roots])
    env = {**os.environ, "PYTHONUNBUFFERED": "1", "TUNEDECK_MODEL_ROOTS": given, "TUNEDECK_DATASET_ROOTS": given}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env)
    try:
        yield _announced(process, Settings(data_dir=data_dir))
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=90)


def _announced(process: subprocess.Popen[str], settings: Settings) -> Up:
    assert process.stdout is not None
    for line in process.stdout:
        if found := re.search(r"(http\S+)/login\?token=(\S+)", line):
            join_url = _join_url(process.stdout) if "--bus-listen" in process.args else ""  # type: ignore[operator]
            up = Up(found[1], found[2], settings, process, join_url)
            with up.client() as client:
                wait_for(client.hosts, "the worker", START_S)
            return up
    raise AssertionError("`tunedeck up` ended before it printed a login link")


def _join_url(output: IO[str]) -> str:
    """From the line after the one that says what joining hosts must see."""
    output.readline()
    return output.readline().split()[-1]
