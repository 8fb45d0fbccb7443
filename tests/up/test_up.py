"""`tunedeck up` itself: the real bus, backend and worker of a fresh data folder."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil
import pytest

from tests.support.processes import command_of
from tests.support.waiting import wait_for
from tests.up.running import processes_of
from tunedeck.client import Client
from tunedeck.errors import TunedeckError
from tunedeck.up.address import Address

pytestmark = pytest.mark.stack
PROGRAM = Path(sys.executable).with_name("tunedeck")


@contextmanager
def up(data_dir: Path) -> Iterator[subprocess.Popen[str]]:
    """A running `tunedeck up`; whatever the test did, nothing of it is left afterwards."""
    with (data_dir.parent / f"{data_dir.name}.out").open("w") as output:
        command = [PROGRAM, "up", "--data-dir", str(data_dir), "--port", "0"]
        process = subprocess.Popen(command, stdout=output, stderr=output, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        for left in processes_of(data_dir):
            left.kill()


def said(data_dir: Path) -> str:
    return (data_dir.parent / f"{data_dir.name}.out").read_text()


def wait_until_it_serves(data_dir: Path) -> str:
    """The login link."""
    wait_for(lambda: "Log in: " in said(data_dir), "the login link", 60)
    found = re.search(r"Log in: (\S+)", said(data_dir))
    assert found
    return found[1]


def child(data_dir: Path, module: str) -> psutil.Process | None:
    return next((each for each in processes_of(data_dir) if command_of(each)[1:3] == ["-m", module]), None)


def is_well(data_dir: Path) -> bool:
    address = Address.read(data_dir)
    assert address
    try:
        with Client(address.url, (data_dir / "token").read_text().strip()) as client:
            return client.health().bus
    except TunedeckError:
        return False


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, subprocess.Popen[str]]]:
    """One `up` for the tests that leave it running."""
    data_dir = tmp_path_factory.mktemp("up") / "data"
    with up(data_dir) as process:
        wait_until_it_serves(data_dir)
        yield data_dir, process


Serving = tuple[Path, subprocess.Popen[str]]


def test_the_printed_link_logs_in(serving: Serving) -> None:
    data_dir, _ = serving
    answer = httpx.get(wait_until_it_serves(data_dir), trust_env=False)
    assert answer.status_code == 303 and answer.cookies
    assert (data_dir / "token").stat().st_mode & 0o777 == 0o600


def test_a_second_up_on_the_same_folder_is_refused_with_the_pid_of_the_first(serving: Serving) -> None:
    data_dir, process = serving
    command = [PROGRAM, "up", "--data-dir", str(data_dir), "--port", "0"]
    second = subprocess.run(command, capture_output=True, text=True, check=False)
    assert second.returncode == 1
    assert second.stderr.startswith(f"Error: another `tunedeck up` (pid {process.pid}) already serves {data_dir}\n")
    assert is_well(data_dir)


@pytest.mark.parametrize("module", ["backend", "worker"])
def test_a_child_that_is_killed_comes_back(serving: Serving, module: str) -> None:
    data_dir, _ = serving
    killed = child(data_dir, module)
    assert killed
    killed.kill()
    wait_for(lambda: (child(data_dir, module) or killed).pid != killed.pid, f"a new {module}")
    wait_for(lambda: is_well(data_dir), "good health")
    assert f"{module} was ended by SIGKILL" in said(data_dir)


def test_neither_ctrl_c_nor_kill_9_leaves_a_process_or_a_lock(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    for number, returncode in ((signal.SIGINT, 0), (signal.SIGKILL, -9), (signal.SIGTERM, 0)):
        with up(data_dir) as process:
            wait_until_it_serves(data_dir)
            assert len(processes_of(data_dir)) == 3, "bus, backend, worker"
            process.send_signal(number)
            assert process.wait(60) == returncode
            wait_for(lambda: not processes_of(data_dir), f"the end of every process after {number.name}")
    assert Address.read(data_dir) is None


def test_a_backend_that_cannot_start_is_an_error_with_its_last_words_and_leaves_nothing(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    environment = os.environ | {"TUNEDECK_DATABASE_URL": "nonsense://"}
    ended = subprocess.run(
        [PROGRAM, "up", "--data-dir", str(data_dir), "--port", "0"],
        capture_output=True,
        text=True,
        env=environment,
        timeout=90,
        check=False,
    )
    assert ended.returncode == 1
    assert "Error: backend ended with exit code" in ended.stderr
    assert f"look at {data_dir}/logs/backend.log; its last lines:\n" in ended.stderr
    assert processes_of(data_dir) == []
