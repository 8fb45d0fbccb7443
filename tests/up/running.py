"""Small stand-in children, and how to see whether processes are there."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import psutil

from tests.support.waiting import PATIENCE_S
from tunedeck.up.process import LogFile
from tunedeck.up.supervisor import Child, Probe


def python_child(folder: Path, name: str, code: str, ready: Probe | None = None, stop_grace_s: float = 10.0) -> Child:
    """A child that runs `code` in `folder`."""
    command = (sys.executable, "-c", f"import os; os.chdir({str(folder)!r})\n{code}")
    return Child(name, command, dict(os.environ), LogFile(folder / f"{name}.log"), ready, PATIENCE_S, stop_grace_s)


def exists(path: Path) -> Probe:
    async def ready() -> bool:
        return path.exists()

    return ready


def is_alive(pid: int) -> bool:
    """A zombie is not: it only waits for its parent to notice."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def processes_of(data_dir: Path) -> Sequence[psutil.Process]:
    """Every process, whoever its parent, that was started for this data folder."""
    return [process for process in psutil.process_iter() if _works_in(process, str(data_dir))]


def _works_in(process: psutil.Process, data_dir: str) -> bool:
    """By environment, or by command line: Valkey overwrites its environment with a title, the engine has another."""
    try:
        if process.status() == psutil.STATUS_ZOMBIE or process.pid == os.getpid():
            return False
        command_line = " ".join(process.cmdline())
        return process.environ().get("TUNEDECK_DATA_DIR") == data_dir or f"{data_dir}/" in command_line
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return False
