"""The leash of a supervisor, and of what a launcher starts on another host: how it learns that nobody holds it.

Standard input is a pipe on which nothing is ever written: its end means that the holder is gone, or wants the tree
gone. PR_SET_PDEATHSIG was rejected for this: it follows the thread that forked, not the process, and macOS has none.
"""

from __future__ import annotations

import os
import select
import signal
from types import FrameType


class Released:
    """Whether somebody wants the tree gone at once: the holder (end of standard input) or SIGTERM."""

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
