"""Where to send from again after the bus has lost everything: behind what the database has.

Counting lines from the start of a file is slow (about 5 µs a line for events), but happens only after a loss.
"""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path

from tunedeck.bus import ControlRecord
from tunedeck.run_folder import RunFolder
from worker.forwarder.position import Position


def position_after(ingested: ControlRecord, folder: RunFolder) -> Position:
    """The position behind the last event and the last log line that `ingested` says are in the database."""
    log_offset, num_lines = _skip_lines(folder.engine_log, ingested.ingested_line)
    return Position(_skip_events(folder.events, ingested.ingested_seq), log_offset, num_lines + 1)


def _skip_events(path: Path, seq: int) -> int:
    """The offset behind the last complete line whose seq is at most `seq`."""
    if seq == 0 or not path.exists():
        return 0
    offset = 0
    with path.open("rb") as file:
        for line in file:
            if not line.endswith(b"\n") or json.loads(line)["seq"] > seq:
                break
            offset += len(line)
    return offset


def _skip_lines(path: Path, num_lines: int) -> tuple[int, int]:
    """The offset behind the first `num_lines` lines, and how many lines there really are up to it."""
    if num_lines == 0 or not path.exists():
        return 0, 0
    with path.open("rb") as file:
        lengths = [len(line) for line in islice(file, num_lines)]
    return sum(lengths), len(lengths)
