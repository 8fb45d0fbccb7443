"""The kernel ends the children of a parent that was killed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.waiting import wait_for
from tests.up.running import is_alive
from tunedeck.up import tether

PARENT = """
import asyncio, os, sys
from pathlib import Path
from tunedeck.up.process import ChildProcess, LogFile

async def main():
    folder = Path(sys.argv[1])
    stubborn = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
    children = [
        await ChildProcess.start([sys.executable, "-c", stubborn], dict(os.environ), LogFile(folder / f"{n}.log"))
        for n in range(3)
    ]
    (folder / "pids.new").write_text(" ".join(str(child.pid) for child in children))
    (folder / "pids.new").rename(folder / "pids")
    await asyncio.Event().wait()

asyncio.run(main())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has PR_SET_PDEATHSIG")
def test_kill_9_of_the_parent_ends_even_children_that_ignore_sigterm(tmp_path: Path) -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(tmp_path)])
    wait_for((tmp_path / "pids").exists, "three children")
    children = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
    wait_for(lambda: all(is_alive(pid) for pid in children), "the children's start")
    parent.kill()
    parent.wait()
    wait_for(lambda: not any(is_alive(pid) for pid in children), "the children's end")


def test_a_child_whose_parent_is_already_gone_does_not_start() -> None:
    someone_else = 2**22 + 1
    started = subprocess.run(
        [sys.executable, tether.__file__, str(someone_else), "/bin/echo", "started"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (started.returncode, started.stdout) == (1, "")
    assert "already gone" in started.stderr


def test_the_command_takes_the_place_of_the_tether() -> None:
    code = "import os; print(os.getpid())"
    child = subprocess.Popen(
        [sys.executable, tether.__file__, str(os.getpid()), sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        text=True,
    )
    output, _ = child.communicate()
    assert int(output) == child.pid
