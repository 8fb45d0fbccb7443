"""A file as pieces of many rows, for who can work on columns at once.

A piece has its rows as columns where pyarrow could read it so, and always as rows too: columns are for speed, rows
decide. pyarrow's JSON reader is given whole lines only and never has the last word: what it refuses (half a surrogate
pair, one column of two types) is read line by line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.json as pj

from tunedeck.conversations.faults import Fault
from tunedeck.conversations.files.bytestream import ByteStream
from tunedeck.conversations.files.json_lines import line_blocks, parsed
from tunedeck.conversations.files.open import FileRows

# Few, because one row may have 64 MiB.
_ROWS_A_PIECE: Final = 16
# The parser's memory is a small multiple of it.
_BLOCK_BYTES: Final = 4 << 20

FileRow = dict[str, Any] | Fault


@dataclass(frozen=True)
class Piece:
    """`first_row` is the number of its first row; `columns` is None where they cannot be had."""

    first_row: int
    columns: pa.RecordBatch | None
    rows: Callable[[], Iterable[FileRow]]


def pieces(file: FileRows, turns: pa.Schema | None) -> Iterator[Piece]:
    """The whole file. `turns` is the type of the column that holds lists of turns, None to give rows only."""
    if turns is not None and file.format == "jsonl":
        return _of_lines(file.path, ByteStream(file.path, file.compression), turns)
    return _of_rows(file)


def _of_rows(file: FileRows) -> Iterator[Piece]:
    rows = iter(file)
    while taken := list(islice(rows, _ROWS_A_PIECE)):
        found = [row for _, row in taken]
        yield Piece(taken[0][0], None, lambda found=found: found)  # type: ignore[misc]


def _of_lines(path: Path, stream: ByteStream, turns: pa.Schema) -> Iterator[Piece]:
    first_row = 1
    with stream:
        for block in line_blocks(path, stream, _BLOCK_BYTES):
            lines = [line for line in map(bytes.strip, block.split(b"\n")) if line]
            columns = _columns(block, len(lines), turns)
            yield Piece(first_row, columns, lambda lines=lines: map(parsed, lines))  # type: ignore[misc]
            first_row += len(lines)


def _columns(block: bytes, num_rows: int, turns: pa.Schema) -> pa.RecordBatch | None:
    options = pj.ParseOptions(explicit_schema=turns, unexpected_field_behavior="infer")
    try:
        table = pj.read_json(
            pa.BufferReader(block),
            read_options=pj.ReadOptions(use_threads=False, block_size=len(block) + 1),
            parse_options=options,
        )
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return None
    batches = table.to_batches()
    return batches[0] if len(batches) == 1 and table.num_rows == num_rows else None
