"""What each rank says of itself once a second, in a file of its own: that it is there, where it stands, what it holds.

The supervisor reads it to tell a slow rank from one that hangs, and for the last words of one that was killed. A file,
because a process that hangs, or is stopped, answers no question; events were rejected for it, since rank 0 alone writes
them and only between steps.
"""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import Field, ValidationError

from tunedeck.fault import FaultScene
from tunedeck.spec import Component

BEAT_S = 1.0
# Written over in place, so that a full disk does not make a rank look dead. Longer than any beat.
_FILE_BYTES = 512


class Beat(Component):
    pid: int
    number: int = Field(description="grows with every beat")
    num_advances: int = Field(description="grows whenever the rank's own work gets on")
    is_timed: bool = Field(description="whether it takes part in a step, where standing still means something")
    scene: FaultScene

    def write(self, file: int) -> None:
        """Put it into an open file. May raise OSError."""
        os.pwrite(file, self.model_dump_json().encode().ljust(_FILE_BYTES), 0)


def read_beat(path: Path) -> Beat | None:
    """The last beat; None of a rank that has not begun, or has ended by itself."""
    try:
        return Beat.model_validate_json(path.read_bytes())
    except (FileNotFoundError, ValidationError):
        return None
