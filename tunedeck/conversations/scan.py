"""One pass over a file: every row read, checked, counted.

`inspect` tells all that is wrong, however much it is; `scan` is what a registration calls, which refuses what the
policy says `fail` to; `read_conversations` is what training calls. All three walk the same way.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from tunedeck.conversations.checks import Judge, TokenCounter, Verdict
from tunedeck.conversations.conversation import Conversation
from tunedeck.conversations.faults import file_fault, no_rows
from tunedeck.conversations.files import FileRows, open_rows
from tunedeck.conversations.raw_rows import RawRows
from tunedeck.conversations.reading import DEFAULT_READING, Reading, Shape
from tunedeck.conversations.report import DatasetReport, FaultCount
from tunedeck.conversations.shapes import columns_read
from tunedeck.conversations.tally import Tally
from tunedeck.errors import DatasetInvalid, Problem

_ROWS_TOLD: Final = 5_000
_HOPELESS_ROWS: Final = 100_000


def read_conversations(path: Path, reading: Reading = DEFAULT_READING) -> Iterator[tuple[int, Conversation | None]]:
    """Yield (row number from 1, what is trained of it or None) for every row, in the order of the file.

    Raises DatasetInvalid at the first row with a fault that the policy says `fail` to.
    """
    for number, verdict in _Pass(path, reading):
        if fault := verdict.refused_by(reading.policy):
            raise file_fault(path, f"row {number}", fault.message, fault.mend)
        yield number, verdict.conversation


def scan(path: Path, reading: Reading = DEFAULT_READING) -> DatasetReport:
    """Inspect, and raise DatasetInvalid where the policy refuses what was found or nothing is left to train."""
    report = inspect(path, reading)
    require_trainable(path, report)
    return report


def require_trainable(path: Path, report: DatasetReport) -> None:
    """Raise DatasetInvalid where the policy refuses what was found in the file or nothing is left to train."""
    if report.refused:
        raise _refusal(path, report.refused)
    if report.num_trainable_rows == 0:
        what = f"none of its {report.num_rows} rows has an assistant turn to learn from and stays"
        raise file_fault(path, "", what, "give at least one row a non-empty assistant turn")


def inspect(
    path: Path,
    reading: Reading = DEFAULT_READING,
    on_bytes: Callable[[int, int], None] = lambda done, total: None,
    num_tokens: TokenCounter | None = None,
) -> DatasetReport:
    """Read the whole file, telling `on_bytes` now and then how many of its bytes are done, and how many it has.

    With `num_tokens` the report has lengths in tokens, and what exceeds `max_tokens` is overlong. Raises DatasetInvalid
    only where there is no use in reading on: no such file, no known format, an array that is broken, no known shape, no
    rows, nothing to train in the first hundred thousand.
    """
    rows = _Pass(path, reading, num_tokens)
    tally, size_bytes = Tally(), path.stat().st_size
    for number, verdict in rows:
        tally.add(number, verdict)
        if number % _ROWS_TOLD == 0:
            on_bytes(int(rows.file.share * size_bytes), size_bytes)
        if number == _HOPELESS_ROWS and tally.num_kept == 0:
            raise tally.nothing_to_train(path, number)
    if rows.shape is None:
        raise tally.first_fault(path)
    return DatasetReport(
        format=rows.file.format,
        compression=rows.file.compression,
        shape=rows.shape,
        reading=reading,
        columns=rows.columns,
        num_rows_compared=rows.judge.num_rows_compared,
        size_bytes=size_bytes,
        content_sha256=content_sha256(path),
        **tally.figures(reading.policy),
    )


def content_sha256(path: Path) -> str:
    """The hexadecimal SHA-256 of the file's bytes, by which a run knows that its data did not change."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class _Pass:
    """Iterates over (row number, verdict)."""

    def __init__(self, path: Path, reading: Reading, num_tokens: TokenCounter | None = None) -> None:
        self._path = path
        self.judge = Judge(reading, num_tokens)
        self.file: FileRows = open_rows(path, columns_read(reading.columns))
        self._rows = RawRows(path, reading, self.judge)

    @property
    def shape(self) -> Shape | None:
        return self._rows.shape

    @property
    def columns(self) -> tuple[str, ...]:
        return self.file.columns or self._rows.columns

    def __iter__(self) -> Iterator[tuple[int, Verdict]]:
        number = 0
        for number, row in self.file:
            yield number, self._rows.verdict(number, row)
        if number == 0:
            raise no_rows(self._path)


def _refusal(path: Path, refused: tuple[FaultCount, ...]) -> DatasetInvalid:
    """Every kind that is refused is a problem; the first in the order of the file is the message."""
    problems = []
    for count in sorted(refused, key=lambda count: count.rows[0]):
        example = count.examples[0]
        more = f" ({count.num_rows - 1:,} more rows have such a fault)" if count.num_rows > 1 else ""
        message = f"{path.name}, row {example.row}: {example.message}{more}"
        problems.append(Problem("path", str(path), message, example.mend))
    return DatasetInvalid(problems[0].message, problems[0].mend, tuple(problems))
