"""Every process below this one: adopted, ended and reaped, so that none outlives the supervisor.

torchrun puts each rank in a session of its own, so ending a process group ends only the launcher. Instead the
supervisor becomes a child subreaper: an orphan anywhere below becomes its child and stays in its tree. A cgroup would
do the same with more certainty, but needs rights that a user's laptop and most containers do not give.
"""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence

import psutil

logger = logging.getLogger(__name__)

PR_SET_CHILD_SUBREAPER = 36  # <linux/prctl.h>
KILL_WAIT_S = 20.0
_POLL_S = 0.02


def adopt_orphans() -> None:
    """Make this process the parent of every orphan below it. Only Linux can; elsewhere orphans go to init."""
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER) failed")


class ProcessTree:
    """The tree below this process, whose first process is `root_pid`."""

    def __init__(self, root_pid: int) -> None:
        self.root_pid = root_pid
        self._root_returncode: int | None = None

    @classmethod
    def start(cls, command: Sequence[str], environment: Mapping[str, str], output: int | None) -> ProcessTree:
        """Start the first process. What the tree prints goes to the descriptor `output`; None: where ours goes."""
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=environment,
            start_new_session=True,
        )
        return cls(process.pid)

    def root_returncode(self) -> int | None:
        """The return code of the first process (negative: the signal), None while it runs. Reaps whatever has ended."""
        self._reap()
        return self._root_returncode

    def end(self, term_wait_s: float) -> None:
        """End every process below this one: SIGTERM, a short wait, SIGKILL. Returns when all are gone and reaped."""
        if self._end_with(signal.SIGTERM, term_wait_s):
            return
        if not self._end_with(signal.SIGKILL, KILL_WAIT_S):
            logger.error("processes that SIGKILL did not end within %.0f s: %s", KILL_WAIT_S, self._living())

    def _end_with(self, number: signal.Signals, wait_s: float) -> bool:
        """Signal each process once, also those that are born meanwhile. True when none is left."""
        signalled: set[int] = set()
        deadline = time.monotonic() + wait_s
        while living := self._living():
            for process in living:
                if process.pid not in signalled:
                    signalled.add(process.pid)
                    _send(process, number)
                    _send(process, signal.SIGCONT)  # one that was stopped would not hear it
            if time.monotonic() > deadline:
                return False
            time.sleep(_POLL_S)
        return True

    def _living(self) -> list[psutil.Process]:
        self._reap()
        return psutil.Process().children(recursive=True)

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid == self.root_pid:
                self._root_returncode = os.waitstatus_to_exitcode(status)


def _send(process: psutil.Process, number: signal.Signals) -> None:
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return
