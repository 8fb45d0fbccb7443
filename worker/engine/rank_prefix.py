"""Says in engine.log which rank a line comes from, where there are several.

All ranks append to one file, so that its order is that in which things happened; `[rank 3] ` at the head of a line is
what the log page filters by. torchrun's own prefixes were rejected: it writes each rank to a file first and copies from
there ten times a second, and the copier dies with torchrun. What libraries written in C print stays as it is.
"""

from __future__ import annotations

import os
import sys
from typing import TextIO

from tunedeck.log_lines import rank_prefix


class PrefixedStream:
    """A text stream whose every line begins with `prefix`; a line is written at once, so that ranks do not mix."""

    def __init__(self, stream: TextIO, prefix: str) -> None:
        self._stream = stream
        self._prefix = prefix
        self._held = ""

    def write(self, text: str) -> int:
        *lines, self._held = (self._held + text).split("\n")
        if lines:
            self._stream.write("".join(f"{self._prefix}{line}\n" for line in lines))
        return len(text)

    def flush(self) -> None:
        self._stream.flush()

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)


def prefix_lines_with_rank() -> None:
    """Under torchrun with more than one rank: everything that Python prints from now on tells its rank."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return
    prefix = rank_prefix(int(os.environ["RANK"]))
    sys.stdout = PrefixedStream(sys.stdout, prefix)
    sys.stderr = PrefixedStream(sys.stderr, prefix)
