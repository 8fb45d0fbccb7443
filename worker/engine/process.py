"""How one rank ends when it is told to, and that it never outlives its launcher.

torchrun gives every rank a session of its own, so killing its process group leaves the ranks alive. Python's own signal
handlers were rejected for SIGTERM: they run between two bytecodes of the main thread, which may wait in a collective
for half an hour.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1


def die_with_launcher() -> None:
    """Under torchrun on Linux: let the kernel kill this process when its parent is gone. Elsewhere: nothing."""
    if sys.platform == "linux" and "TORCHELASTIC_RUN_ID" in os.environ:
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def die_with_parent(parent: int) -> None:
    """In a process started by a rank, on Linux: let the kernel kill it when the main thread of `parent` is gone.

    It writes to the same run folder, which the attempt after this one must find settled.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def on_sigterm(last_words: Callable[[], None]) -> None:
    """At SIGTERM run `last_words` in a thread of its own and end with code 143, whatever the main thread is doing.

    Call from the main thread. Forked children get the default action back.
    """
    read_end, write_end = os.pipe()
    os.set_blocking(write_end, False)
    signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
    signal.signal(signal.SIGTERM, lambda number, frame: None)
    os.register_at_fork(after_in_child=_forget_handlers)
    threading.Thread(target=_wait, args=(read_end, last_words), name="sigterm", daemon=True).start()


def _wait(read_end: int, last_words: Callable[[], None]) -> None:
    while signal.SIGTERM not in os.read(read_end, 64):
        pass
    try:
        last_words()
    finally:
        os._exit(128 + signal.SIGTERM)


def _forget_handlers() -> None:
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
