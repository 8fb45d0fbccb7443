"""Starts the engine, waits for one of four endings, ends what is left of the tree and writes `exit.json`, last of all.

Standard input is a pipe from the worker on which nothing is ever written: its end means that the worker is gone or
wants the tree gone. PR_SET_PDEATHSIG was rejected for this: it follows the thread that forked, not the process, and
macOS has none. A request to stop is a file, so that it outlives any connection.
"""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from tunedeck.run_folder import RunFolder
from worker.supervisor.launch import Launch, command, environment, open_log
from worker.supervisor.process_tree import ProcessTree, adopt_orphans

if TYPE_CHECKING:  # its models need pydantic, whose 150 ms the engine need not wait for
    from worker.supervisor.watchdog import Watchdog

POLL_S = 0.1


class Ending(Enum):
    BY_ITSELF = auto()
    OVERDUE = auto()  # asked to stop, and still there after the grace
    HUNG = auto()  # the watchdog has left a fault
    RELEASED = auto()  # the worker closed our standard input: it is gone, or the attempt has been replaced


@dataclass(frozen=True)
class Ended:
    """How it ended. `num_oom_kills`: processes that the kernel killed for memory meanwhile, anywhere on the host.
    `num_free_bytes`: on the disk of the run folder, before what was left half done is removed."""

    ending: Ending
    returncode: int
    stop_grace_s: float
    num_oom_kills: int
    num_free_bytes: int


class Released:
    """Whether somebody wants the tree gone at once: the worker (end of standard input) or SIGTERM."""

    def __init__(self) -> None:
        self._by_signal = False
        signal.signal(signal.SIGTERM, self._on_signal)
        signal.signal(signal.SIGINT, self._on_signal)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._by_signal = True

    def wait(self, seconds: float) -> bool:
        """True as soon as it is so, False after `seconds`."""
        readable, _, _ = select.select([0], [], [], seconds)
        return self._by_signal or bool(readable and os.read(0, 1) == b"")


def start_engine(launch: Launch, own_environment: dict[str, str]) -> ProcessTree:
    """Start the engine's processes with all they print going to engine.log."""
    adopt_orphans()
    log = open_log(launch.folder)
    try:
        process = subprocess.Popen(
            command(launch),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=environment(launch, own_environment),
            start_new_session=True,
        )
    finally:
        os.close(log)
    return ProcessTree(process.pid)


def wait_for_end(tree: ProcessTree, folder: RunFolder, stop_grace_s: float, watchdog: Watchdog) -> Ended:
    """Wait until the engine ends, or must end; then end every process below this one."""
    oom_kills_before = count_oom_kills()
    ending = _wait(tree, folder, stop_grace_s, watchdog)
    tree.end()
    returncode = tree.root_returncode()
    return Ended(
        ending=ending,
        returncode=-signal.SIGKILL if returncode is None else returncode,
        stop_grace_s=stop_grace_s,
        num_oom_kills=count_oom_kills() - oom_kills_before,
        num_free_bytes=shutil.disk_usage(folder.root).free,
    )


def _wait(tree: ProcessTree, folder: RunFolder, stop_grace_s: float, watchdog: Watchdog) -> Ending:
    released = Released()
    overdue_at = float("inf")
    while tree.root_returncode() is None:
        if released.wait(POLL_S):
            return Ending.RELEASED
        if overdue_at == float("inf") and folder.stop_request.exists():
            overdue_at = time.monotonic() + stop_grace_s
        if time.monotonic() > overdue_at:
            return Ending.OVERDUE
        if fault := watchdog.look():
            watchdog.have_stacks_written()
            fault.leave_at(folder.fault)  # rank 0 says it when it is ended, if it still can
            return Ending.HUNG
    return Ending.BY_ITSELF


def count_oom_kills() -> int:
    """Processes that the kernel has killed for want of memory since it started; 0 where it does not say."""
    try:
        text = Path("/proc/vmstat").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in text.splitlines() if line.startswith("oom_kill ")), 0)
