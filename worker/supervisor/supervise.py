"""Starts the engine, waits for one of four endings, ends what is left of the tree and writes `exit.json`, last of all.

A request to stop is a file, so that it outlives any connection.
"""

from __future__ import annotations

import os
import shutil
import signal
import time
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from typing import TYPE_CHECKING

from tunedeck.run_folder import RunFolder
from worker.launchers.engine_environment import open_log
from worker.launchers.launcher import Launch, Launcher
from worker.supervisor.process_tree import ProcessTree, adopt_orphans
from worker.supervisor.released import Released

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


def start_engine(launcher: Launcher, launch: Launch, own_environment: dict[str, str]) -> ProcessTree:
    """Start the engine's processes with all they print going to engine.log."""
    adopt_orphans()
    log = open_log(launch.folder)
    try:
        return ProcessTree.start(launcher.command(launch), launcher.environment(launch, own_environment), log)
    finally:
        os.close(log)


def wait_for_end(
    tree: ProcessTree, folder: RunFolder, stop_grace_s: float, term_wait_s: float, watchdog: Watchdog
) -> Ended:
    """Wait until the engine ends, or must end; then end every process below this one."""
    oom_kills_before = count_oom_kills()
    ending = _wait(tree, folder, stop_grace_s, watchdog)
    tree.end(term_wait_s)
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
            watchdog.have_stacks_written(tree.root_pid)
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
