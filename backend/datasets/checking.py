"""Checking a file row by row, where it can do no harm: in a process of its own, unless the file is small and plain.

A file that somebody sends may be a bomb; the process has a bound of memory and the service none of its work. What was
found is remembered for as long as the file is the same, so that who looks first and adds then waits once.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import replace
from pathlib import Path

from backend.datasets.sources import Source
from backend.works.work import Work
from tunedeck.conversations import DatasetReport, Reading
from tunedeck.conversations.scan import inspect
from tunedeck.errors import DatasetInvalid

_PROCESS = "backend.datasets.check_process"
_SMALL_BYTES = 1 << 20
_PLAIN = (".json", ".jsonl", ".ndjson", ".txt")
_NUM_REMEMBERED = 64


def is_quick(path: Path) -> bool:
    """Whether it is checked in a moment, in the process that asks."""
    try:
        return not path.is_file() or (path.suffix.lower() in _PLAIN and path.stat().st_size <= _SMALL_BYTES)
    except OSError:
        return True  # what is wrong with it, the reader says at once


class Checks:
    """The reports of the last files that were checked."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[str, int, int, str], DatasetReport] = OrderedDict()
        self._lock = threading.Lock()

    def report(self, source: Source, reading: Reading, work: Work | None) -> DatasetReport:
        """All that was found, also what the policy refuses. Raises DatasetInvalid, at the field of the source, where
        the file cannot be read on."""
        key = _key(source.path, reading)
        with self._lock:
            if key is not None and key in self._known:
                self._known.move_to_end(key)
                return self._known[key]
        found = _inspect(source, reading, work)
        if key is not None:
            with self._lock:
                self._known[key] = found
                while len(self._known) > _NUM_REMEMBERED:
                    self._known.popitem(last=False)
        return found


def at_field(source: Source, fault: DatasetInvalid) -> DatasetInvalid:
    """Faults of the content belong to the field that named the file; the user never named a path of ours."""
    problems = tuple(replace(problem, field=source.field, value=source.origin) for problem in fault.problems)
    return DatasetInvalid(fault.message, fault.mend, problems)


def _inspect(source: Source, reading: Reading, work: Work | None) -> DatasetReport:
    try:
        if work is None:
            return inspect(source.path, reading)
        request = {"path": str(source.path), "reading": reading.model_dump(mode="json")}
        return DatasetReport.model_validate(work.ask(_PROCESS, request, "bytes"))
    except DatasetInvalid as fault:
        raise at_field(source, fault) from fault


def _key(path: Path, reading: Reading) -> tuple[str, int, int, str] | None:
    try:
        facts = path.stat()
    except OSError:
        return None
    return str(path), facts.st_size, facts.st_mtime_ns, reading.model_dump_json()
