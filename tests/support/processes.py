"""What can be asked of a process that may end between two looks."""

from __future__ import annotations

import psutil


def command_of(process: psutil.Process) -> list[str]:
    """Its arguments; none where it has ended meanwhile."""
    try:
        return process.cmdline()
    except psutil.NoSuchProcess:  # also what a zombie is called
        return []
