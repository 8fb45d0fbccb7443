"""A file as parts whose rows another process can read: what costs time is parsing, not reading.

Blocks of whole lines of JSONL and batches of columns travel as bytes. Rows of a table or an array travel as they are,
because only who has read the rows before knows where the next one begins. A range of the file for each process was
rejected: it would not do for compressed files, and reading is a thirtieth of the work.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa

from tunedeck.conversations.faults import Fault
from tunedeck.conversations.files.columnar import values
from tunedeck.conversations.files.json_lines import lines_of, parsed

_ROWS_A_PART: Final = 256

FileRow = dict[str, Any] | Fault


@dataclass(frozen=True, slots=True)
class Lines:
    """Whole lines of JSONL."""

    block: bytes

    def rows(self) -> Iterator[FileRow]:
        return map(parsed, lines_of(self.block))


@dataclass(frozen=True, slots=True)
class Columns:
    batch: pa.RecordBatch

    def rows(self) -> Iterator[FileRow]:
        """Raises MemoryError where the rows of a small batch are huge."""
        return iter(values(self.batch))

    def __reduce__(self) -> tuple[Callable[[bytes], Columns], tuple[bytes]]:
        """Pickle would send all of what a slice was cut from."""
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, self.batch.schema) as stream:
            stream.write_batch(self.batch)
        return _received, (sink.getvalue().to_pybytes(),)


@dataclass(frozen=True, slots=True)
class Rows:
    found: list[FileRow]

    def rows(self) -> Iterator[FileRow]:
        return iter(self.found)


Part = Lines | Columns | Rows


def parts_of_rows(rows: Iterable[tuple[int, FileRow]]) -> Iterator[Rows]:
    """Where the reader of the rows raises, the rows before are a part first: one of them may be at fault too."""
    taken: list[FileRow] = []
    try:
        for _, row in rows:
            taken.append(row)
            if len(taken) == _ROWS_A_PART:
                yield Rows(taken)
                taken = []
    except Exception:
        if taken:
            yield Rows(taken)
        raise
    if taken:
        yield Rows(taken)


def _received(stream: bytes) -> Columns:
    return Columns(pa.ipc.open_stream(stream).read_next_batch())
