"""Runs one measured piece of work in a process of its own, so that each has its own peak of memory.

    python -m bench.data.child MODULE FUNCTION ARGUMENT…

calls `MODULE.FUNCTION(ARGUMENT…)`, which returns a dict, and prints it as one line of JSON with `wall_s`, `cpu_s` (of
all threads and child processes) and `peak_bytes` (resident, of this process).
"""

from __future__ import annotations

import importlib
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


def measured(work: Callable[..., dict[str, Any]], *arguments: str) -> dict[str, Any]:
    """What `work` returns and what it took."""
    spec = sys.modules[work.__module__].__spec__
    assert spec is not None, "run it as a module: python -m bench.data.…"
    command = [sys.executable, "-m", "bench.data.child", spec.name, work.__name__, *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _main(module: str, function: str, *arguments: str) -> None:
    work = getattr(importlib.import_module(module), function)
    start = time.perf_counter()
    found = work(*arguments)
    wall_s = time.perf_counter() - start
    own, children = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    cpu_s = sum(usage.ru_utime + usage.ru_stime for usage in (own, children))
    print(json.dumps({"wall_s": wall_s, "cpu_s": cpu_s, "peak_bytes": _peak_bytes(), **found}))


def _peak_bytes() -> int:
    """Not ru_maxrss: a process inherits that of its parent at the fork."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


if __name__ == "__main__":
    _main(*sys.argv[1:])
