"""A file as pieces of many rows, for who can work on columns at once.

A piece has its rows as columns where pyarrow could read it so, and always as rows too: columns are for speed, rows
decide. pyarrow's JSON reader is given whole lines only and never has the last word: what it refuses (half a surrogate
pair, one column of two types) is read line by line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
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
        for block, columns in _ahead(path, stream, turns):
            yield Piece(first_row, columns, lambda block=block: map(parsed, _lines(block)))  # type: ignore[misc]
            first_row += len(_lines(block)) if columns is None else columns.num_rows


def _ahead(path: Path, stream: ByteStream, turns: pa.Schema) -> Iterator[tuple[bytes, pa.RecordBatch | None]]:
    """Blocks and their columns. The next block is parsed while its taker works on this one: pyarrow needs no lock for
    either."""
    with ThreadPoolExecutor(1) as parser:
        waiting: tuple[bytes, Future[pa.RecordBatch | None]] | None = None
        for block in line_blocks(path, stream, _BLOCK_BYTES):
            next_one = block, parser.submit(_columns, block, turns)
            if waiting:
                yield waiting[0], waiting[1].result()
            waiting = next_one
        if waiting:
            yield waiting[0], waiting[1].result()


def _lines(block: bytes) -> list[bytes]:
    return [line for line in map(bytes.strip, block.split(b"\n")) if line]


def _columns(block: bytes, turns: pa.Schema) -> pa.RecordBatch | None:
    """None too where a NUL is in a text (which no other check would find) or a line is blank."""
    if b"\\u0000" in block:
        return None
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
    num_lines = block.count(b"\n") + (not block.endswith(b"\n"))
    return batches[0] if len(batches) == 1 and table.num_rows == num_lines else None
