"""events.jsonl of one attempt: the only thing that the engine says to the outside, and the recovery truth.

One `write` call appends one whole line, so a reader never sees half of one, and nothing is buffered in this process, so
that a killed engine has said all that it did. Lines are plain dictionaries in the form of tunedeck/events.py; they are
not validated here, because this runs in the training loop (a test does it). No network is ever waited for.
"""

from __future__ import annotations

import errno
import json
import os
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import orjson

from tunedeck.errors import Conflict, DiskFull
from tunedeck.fault import Fault

_NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def _encoded_numbers(event: dict[str, Any]) -> bytes:
    """In a sixth of the time of the standard library's; JSON has no NaN: what is not finite becomes null."""
    return orjson.dumps(event, option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_SERIALIZE_NUMPY)


def _encoded_texts(event: dict[str, Any]) -> bytes:
    """Not by orjson, which refuses texts that are not UTF-8, such as the name of a file in an error."""
    return json.dumps(event, separators=(",", ":"), allow_nan=False).encode() + b"\n"


class EventLog:
    """Appends events, numbered from 1. A closed log drops what it is told, so that an end can be written only once."""

    def __init__(self, path: Path) -> None:
        """Create the file. Raises Conflict where an engine has written events there before."""
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and path.stat().st_size:
            raise Conflict(f"{path} already holds the events of a run", "give every attempt a run folder of its own")
        self.path = path
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        self._lock = threading.RLock()
        self._seq = 0
        self._size = 0  # nobody else writes here; asking the file at each step costs as much as writing to it
        self._closed = False
        self.last_step = 0
        self.why_it_ends = ""

    def __enter__(self) -> EventLog:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def phase(self, phase: str) -> None:
        self._write("phase", {"phase": phase})

    def plan(self, train_iters: int, first_step: int, facts: Mapping[str, Any]) -> None:
        self.last_step = first_step - 1
        self._write("plan", {"train_iters": train_iters, "first_step": first_step, "facts": dict(facts)})

    def step(self, step: int, metrics: Mapping[str, float]) -> None:
        self.last_step = step
        self._write("step", {"step": step, "metrics": metrics}, _encoded_numbers)

    def eval(self, step: int, metrics: Mapping[str, float]) -> None:
        self._write("eval", {"step": step, "metrics": metrics}, _encoded_numbers)

    def checkpoint(self, step: int, path: str, size_bytes: int, format_: str) -> None:
        self._write("checkpoint", {"step": step, "path": path, "size_bytes": size_bytes, "format": format_})

    def checkpoint_removed(self, step: int, path: str) -> None:
        self._write("checkpoint_removed", {"step": step, "path": path})

    def fp8(self, step: int, **found: Any) -> None:
        """What an FP8 run computed in: the fields of Fp8Event."""
        self._write("fp8", {"step": step, **found})

    def fail(self, fault: Fault) -> None:
        """The last two lines of a failed attempt: why, and the end."""
        with self._lock:
            self._write("error", fault.model_dump(mode="json"))
            self.end("failed")

    def end(self, outcome: str) -> None:
        """The last line: whatever comes later, from any thread, is not written."""
        with self._lock:
            self._write("end", {"outcome": outcome, "step": self.last_step, "why": self.why_it_ends})
            self.close()

    def close(self) -> None:
        with self._lock:
            if not self._closed:
                self._closed = True
                os.close(self._file)

    def _write(self, kind: str, fields: dict[str, Any], encoded: Callable[[Any], bytes] = _encoded_texts) -> None:
        with self._lock:
            if self._closed:
                return
            event = {"kind": kind, "seq": self._seq + 1, "t": time.time(), **fields}
            self._append(encoded(event))
            self._seq += 1

    def _append(self, line: bytes) -> None:
        """Raises DiskFull; the file then ends with the line before, so that a later event can still be read."""
        try:
            written = os.write(self._file, line)
            if written == len(line):
                self._size += written
                return
            os.ftruncate(self._file, self._size)
        except OSError as error:
            if error.errno not in _NO_SPACE:
                raise
        raise DiskFull(f"no space left for {self.path}", "free some space on this disk, then start the job again")
