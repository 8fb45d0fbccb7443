"""How much memory is in use: of the container where it has a limit, else of the machine. Page cache is not in use."""

from __future__ import annotations

from pathlib import Path

import psutil

# limit, use, and the line of memory.stat that tells the cache which the kernel would give up first
_GROUPS = (
    (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current"), "inactive_file"),
    (
        Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
        Path("/sys/fs/cgroup/memory/memory.usage_in_bytes"),
        "total_inactive_file",
    ),
)


def memory_in_use_bytes() -> int:
    machine = psutil.virtual_memory()
    for limit, use, cache in _GROUPS:
        text = limit.read_text().strip() if limit.exists() else ""
        # Version 1 says "no limit" by a number beyond all memory, version 2 by a word.
        if text.isdigit() and int(text) < machine.total:
            return max(0, int(use.read_text()) - _stat(use.with_name("memory.stat"), cache))
    return int(machine.total - machine.available)


def _stat(file: Path, name: str) -> int:
    lines = (line.partition(" ") for line in file.read_text().splitlines())
    return next((int(value) for key, _, value in lines if key == name), 0)
