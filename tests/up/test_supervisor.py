"""Real child processes under the supervisor."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.up.running import exists, is_alive, python_child
from tunedeck.errors import ChildFailed
from tunedeck.up.supervisor import Supervisor

WAIT_FOR_EVER = "import time; time.sleep(600)"
NOTE_PID = "open('pids', 'a').write(f'{os.getpid()}\\n')\n"


def pids(folder: Path) -> list[int]:
    file = folder / "pids"
    return [int(line) for line in file.read_text().split()] if file.exists() else []


async def until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for: {what}"
        await asyncio.sleep(0.02)


def test_a_child_that_dies_is_started_again(tmp_path: Path) -> None:
    said: list[str] = []

    async def scenario() -> None:
        supervisor = Supervisor(said.append)
        await supervisor.start(python_child(tmp_path, "child", NOTE_PID + WAIT_FOR_EVER))
        await until(lambda: len(pids(tmp_path)) == 1, "the first start")
        os.kill(pids(tmp_path)[0], 9)
        await until(lambda: len(pids(tmp_path)) == 2, "the second start")
        assert is_alive(pids(tmp_path)[1])
        await supervisor.stop()

    asyncio.run(scenario())
    assert "child was ended by SIGKILL" in said[0]
    assert not any(is_alive(pid) for pid in pids(tmp_path))


def test_repeated_death_is_said_with_the_last_log_lines_and_a_growing_delay(tmp_path: Path) -> None:
    said: list[str] = []

    async def scenario() -> None:
        supervisor = Supervisor(said.append)
        await supervisor.start(python_child(tmp_path, "child", NOTE_PID + "raise SystemExit('no disk left')"))
        await until(lambda: len(pids(tmp_path)) == 4, "the fourth start")
        await supervisor.stop()

    asyncio.run(scenario())
    assert said[0].startswith("child ended with exit code 1 after") and said[0].endswith("restart in 0.5 s")
    assert said[1].endswith("restart in 1 s")
    assert said[3] == "    no disk left"
    assert said.count("    no disk left") == 1


def test_a_child_that_dies_before_it_is_ready_is_an_error_with_its_last_words(tmp_path: Path) -> None:
    async def scenario() -> None:
        supervisor = Supervisor(print)
        child = python_child(tmp_path, "backend", "raise SystemExit('address in use')", exists(tmp_path / "never"))
        try:
            await supervisor.start(child)
        finally:
            await supervisor.stop()

    with pytest.raises(ChildFailed, match="backend ended with exit code 1 before it was ready") as failure:
        asyncio.run(scenario())
    assert failure.value.mend.endswith("    address in use")


def test_a_program_that_does_not_exist_is_an_error_that_names_it(tmp_path: Path) -> None:
    async def scenario() -> None:
        supervisor = Supervisor(print)
        child = python_child(tmp_path, "bus", "", exists(tmp_path / "never"))
        await supervisor.start(type(child)(**{**vars(child), "command": ("/no/such/server",)}))

    with pytest.raises(ChildFailed) as failure:
        asyncio.run(scenario())
    assert "/no/such/server cannot be started: No such file or directory" in failure.value.mend


def test_children_end_in_reverse_order_each_before_the_next_is_asked(tmp_path: Path) -> None:
    code = (
        "import signal, sys, time\n"
        "def end(*_):\n"
        "    open('order', 'a').write('{name} asked\\n'); time.sleep(0.2)\n"
        "    open('order', 'a').write('{name} ended\\n'); sys.exit()\n"
        "signal.signal(signal.SIGTERM, end)\n"
        "open('{name}.up', 'w').close()\n"
    ) + WAIT_FOR_EVER

    async def scenario() -> None:
        supervisor = Supervisor(print)
        for name in ("bus", "backend", "worker"):
            ready = exists(tmp_path / f"{name}.up")
            await supervisor.start(python_child(tmp_path, name, code.replace("{name}", name), ready))
        await supervisor.stop()

    asyncio.run(scenario())
    assert (tmp_path / "order").read_text().splitlines() == [
        f"{name} {what}" for name in ("worker", "backend", "bus") for what in ("asked", "ended")
    ]


STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); open('up', 'w').close()\n" + WAIT_FOR_EVER


def test_a_child_that_ignores_the_request_is_killed_after_its_grace(tmp_path: Path) -> None:
    said: list[str] = []

    async def scenario() -> None:
        supervisor = Supervisor(said.append)
        child = python_child(tmp_path, "child", NOTE_PID + STUBBORN, exists(tmp_path / "up"), stop_grace_s=0.3)
        await supervisor.start(child)
        await supervisor.stop()

    asyncio.run(scenario())
    assert not is_alive(pids(tmp_path)[0])
    assert said == ["child did not end within 0.3 s and is killed"]


def test_hurry_cuts_a_long_grace_short(tmp_path: Path) -> None:
    async def scenario() -> None:
        supervisor = Supervisor(print)
        child = python_child(tmp_path, "child", NOTE_PID + STUBBORN, exists(tmp_path / "up"), stop_grace_s=600)
        await supervisor.start(child)
        stopping = asyncio.create_task(supervisor.stop())
        await asyncio.sleep(0.2)
        assert is_alive(pids(tmp_path)[0])
        supervisor.hurry()
        await stopping

    asyncio.run(scenario())
    assert not is_alive(pids(tmp_path)[0])


def test_what_a_child_leaves_in_its_process_group_goes_with_it(tmp_path: Path) -> None:
    code = (
        "import subprocess, sys\n"
        f"orphan = subprocess.Popen([sys.executable, '-c', {WAIT_FOR_EVER!r}])\n"
        "open('pids', 'a').write(f'{orphan.pid}\\n')\n"
        "open('up', 'w').close()\n"
    ) + WAIT_FOR_EVER

    async def scenario() -> None:
        supervisor = Supervisor(print)
        await supervisor.start(python_child(tmp_path, "child", code, exists(tmp_path / "up")))
        assert is_alive(pids(tmp_path)[0])
        await supervisor.stop()
        await until(lambda: not is_alive(pids(tmp_path)[0]), "the orphan's end")

    asyncio.run(scenario())
