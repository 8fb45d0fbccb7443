"""What an inspection of a file found: what is stored with a data set and what `tunedeck data inspect` prints.

Examples are few and short, so that a report has some kilobytes however large or broken the file is; the counts are of
all rows.
"""

from __future__ import annotations

from typing import Any, Literal

from tunedeck.component import Component
from tunedeck.conversations.reading import Action, FaultKind, Reading, Shape

Format = Literal["json", "jsonl", "csv", "parquet", "arrow"]
Compression = Literal["none", "gzip", "zstd"]


class FaultExample(Component):
    """`row` is counted from 1; `message` says what is wrong and names the value; `mend` says what to do."""

    row: int
    message: str
    mend: str


class FaultCount(Component):
    """All rows with faults of one kind, and what the policy does to them. `rows` are the numbers of the first hundred,
    `examples` the first few. A row with faults of several kinds counts under each; the harshest action holds."""

    kind: FaultKind
    action: Action
    num_rows: int
    rows: tuple[int, ...]
    examples: tuple[FaultExample, ...]


class LengthBin(Component):
    """How many conversations have more than the bound of the bin before and at most `upper`."""

    upper: int
    num_rows: int


class LengthStatistics(Component):
    """Lengths of conversations. Minimum, mean and maximum are exact; percentiles are at most 4% too high."""

    minimum: int
    mean: float
    p50: int
    p90: int
    p99: int
    maximum: int
    histogram: tuple[LengthBin, ...]


class DatasetReport(Component):
    """`num_rows` = `num_trainable_rows` + `num_dropped_rows`, where `num_trainable_rows` are those that stay, whole or
    truncated, and hold something to learn. `columns` are the keys of the first row. `sample` are the first rows that
    stay, as they are trained. Lengths are of rows that stay: characters of all turns, number of turns,
    and tokens where they were counted."""

    format: Format
    compression: Compression
    shape: Shape
    reading: Reading
    columns: tuple[str, ...]
    num_rows: int
    num_trainable_rows: int
    num_dropped_rows: int
    num_truncated_rows: int
    faults: tuple[FaultCount, ...]
    num_turns_by_role: dict[str, int]
    chars: LengthStatistics
    turns: LengthStatistics
    tokens: LengthStatistics | None = None
    num_rows_compared: int
    size_bytes: int
    content_sha256: str
    sample: tuple[dict[str, Any], ...]

    @property
    def refused(self) -> tuple[FaultCount, ...]:
        """The faults for which the policy refuses the data set."""
        return tuple(count for count in self.faults if count.action == "fail")
