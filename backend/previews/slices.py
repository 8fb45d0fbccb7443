"""A few rows out of the middle of a large file, cut out as a small file of the same format.

Only where rows can be found without reading what lies before them: lines of plain JSONL, counted once and remembered,
and row groups of Parquet. Elsewhere rows are read from the beginning.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from tunedeck.conversations.report import Compression, Format

_CHUNK_BYTES: Final = 16 << 20
_READ_ROWS: Final = 1_000


class LineIndex:
    """How many lines end before each chunk of a file, so that a line is found by reading one chunk."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._ended_before: list[int] = []
        ended, last = 0, b"\n"
        for chunk in _chunks(path, 0):
            self._ended_before.append(ended)
            ended += chunk.count(b"\n")
            last = chunk[-1:]
        self.num_lines = ended + (last != b"\n")

    def cut(self, first: int, limit: int) -> bytes:
        """The lines from number `first` on, counted from 1."""
        # The last chunk in which line `first` can begin: no more than first - 1 lines may have ended before it.
        at = max(0, bisect_right(self._ended_before, first - 1) - 1)
        skip = first - 1 - self._ended_before[at]
        if skip == 0 and at > 0:
            at, skip = at - 1, first - 1 - self._ended_before[at - 1]
        text = b""
        for chunk in _chunks(self._path, at * _CHUNK_BYTES):
            text += chunk
            lines = text.split(b"\n", skip + limit)
            if len(lines) > skip + limit:
                break
        return b"\n".join(lines[skip : skip + limit]) + b"\n"


def cut_out(path: Path, form: Format, packed: Compression, num_rows: int, first: int, limit: int, into: Path) -> bool:
    """Write rows `first` to `first + limit` to `into`. False where the format does not allow it."""
    if packed != "none" or first > num_rows:
        return False
    if form == "jsonl":
        index = _line_index(str(path), path.stat().st_mtime_ns)
        if index.num_lines != num_rows:
            return False  # some lines are blank, and the numbers of lines are not those of rows
        into.write_bytes(index.cut(first, limit))
        return True
    if form == "parquet":
        pq.write_table(_parquet_rows(path, first - 1, limit), into)
        return True
    return False


def _parquet_rows(path: Path, start: int, limit: int) -> pa.Table:
    """Only batches are held: a row group may have gigabytes."""
    with pq.ParquetFile(path) as file:
        group, before = 0, 0
        while before + file.metadata.row_group(group).num_rows <= start:
            before += file.metadata.row_group(group).num_rows
            group += 1
        found: list[pa.RecordBatch] = []
        groups = range(group, file.metadata.num_row_groups)
        for batch in file.iter_batches(batch_size=_READ_ROWS, row_groups=list(groups)):
            wanted = batch.slice(max(0, start - before), limit - sum(each.num_rows for each in found))
            found += [wanted] if wanted.num_rows else []
            before += batch.num_rows
            if before >= start + limit:
                break
        return pa.Table.from_batches(found, file.schema_arrow)


@lru_cache(maxsize=4)
def _line_index(path: str, _changed_at: int) -> LineIndex:
    return LineIndex(Path(path))


def _chunks(path: Path, start: int) -> Iterator[bytes]:
    with path.open("rb") as file:
        file.seek(start)
        while chunk := file.read(_CHUNK_BYTES):
            yield chunk
