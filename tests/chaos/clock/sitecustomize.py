"""A wall clock that can be made to jump, in every Python process that has this folder on PYTHONPATH.

Python imports a file of this name at start. `time.time()` and `time.time_ns()` are then moved by the seconds that stand
in the file that TUNEDECK_CHAOS_CLOCK names; the monotonic clock goes on, as it does when a machine's clock is set.
libfaketime was rejected: not every machine has it.
"""

from __future__ import annotations

import os
import time

_NAME = "TUNEDECK_CHAOS_CLOCK"
_DIGITS = 16


def install(path: str) -> None:
    file, real_time, real_time_ns = os.open(path, os.O_RDONLY), time.time, time.time_ns

    def ahead_s() -> int:
        return int(os.pread(file, _DIGITS, 0) or b"0")

    time.time = lambda: real_time() + ahead_s()
    time.time_ns = lambda: real_time_ns() + ahead_s() * 10**9


if _NAME in os.environ:
    install(os.environ[_NAME])
