"""One child process of `up`: started in a group of its own, tied to us, logged to a file, ended with TERM, then KILL.

Output goes straight into the file, not through a pipe of ours: what a child says in its last moment is not lost, and a
slow `up` never blocks it. A log is rotated only when its child starts.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from tunedeck.up import tether

MAX_LOG_BYTES = 10 << 20
TAIL_LINES = 15


class LogFile:
    """`<name>.log`, appended to. `tail` gives only what was written since the last `open_for_start`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._start_offset = 0

    def open_for_start(self) -> int:
        """A file descriptor for the child; the caller closes its own copy."""
        if self.path.exists() and self.path.stat().st_size > MAX_LOG_BYTES:
            self.path.replace(self.path.with_suffix(".log.1"))
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._start_offset = os.fstat(descriptor).st_size
        return descriptor

    def tail(self, num_lines: int = TAIL_LINES) -> tuple[str, ...]:
        with self.path.open("rb") as file:
            end = file.seek(0, os.SEEK_END)
            file.seek(max(self._start_offset, end - 64 * 1024))
            return tuple(file.read().decode(errors="replace").splitlines()[-num_lines:])


class ChildProcess:
    """A running child. `stop` may be called at any time, and again with `grace_s=0` to stop waiting."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._started = time.monotonic()

    @classmethod
    async def start(cls, command: Sequence[str], env: Mapping[str, str], log: LogFile) -> ChildProcess:
        output = log.open_for_start()
        try:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-S", "-E", tether.__file__, str(os.getpid()), *command),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=env,
                # A group of its own: Ctrl-C in the terminal reaches only `up`, which then ends its children in order.
                start_new_session=True,
            )
        finally:
            os.close(output)
        return cls(process)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def age_s(self) -> float:
        return time.monotonic() - self._started

    async def wait(self) -> int:
        """The return code (negative: the signal), after whatever is left of the process group has been killed."""
        returncode = await self._process.wait()
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        return returncode

    def terminate(self) -> None:
        """Ask the child alone: it ends its own children in the order that it knows."""
        if self._process.returncode is None:
            self._process.terminate()

    def kill(self) -> None:
        if self._process.returncode is None:
            os.killpg(self.pid, signal.SIGKILL)
