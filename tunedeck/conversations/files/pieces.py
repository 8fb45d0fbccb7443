"""A file as pieces of many rows, for who can work on columns at once.

A piece has its rows as columns where pyarrow could read it so, and always as rows too: columns are for speed, rows
decide. pyarrow's JSON reader is given whole lines only and never has the last word: what it refuses (half a surrogate
pair, one column of two types) is read row by row.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

import pyarrow as pa
import pyarrow.json as pj

from tunedeck.conversations.faults import Fault
from tunedeck.conversations.files.array_pieces import ArrayPieces, IrregularArray
from tunedeck.conversations.files.bytestream import ByteStream
from tunedeck.conversations.files.json_lines import line_blocks, parsed
from tunedeck.conversations.files.open import FileRows

# Few, because one row may have 64 MiB.
_ROWS_A_PIECE: Final = 16
# The parser's memory is a small multiple of it.
_BLOCK_BYTES: Final = 4 << 20

FileRow = dict[str, Any] | Fault
# The text that pyarrow shall read for a block, and the number of its rows.
Text = Callable[[bytes], tuple[bytes, int]]


@dataclass(frozen=True)
class Piece:
    """`first_row` is the number of its first row; `columns` is None where they cannot be had."""

    first_row: int
    columns: pa.RecordBatch | None
    rows: Callable[[], Iterable[FileRow]]


def pieces(file: FileRows, turns: pa.Schema | None) -> Iterator[Piece]:
    """The whole file. `turns` is the type of the column that holds lists of turns, None to give rows only.

    With `turns`, raises IrregularArray for an array that cannot be cut into pieces.
    """
    if turns is not None and file.format == "jsonl":
        return _of_lines(file, turns)
    if turns is not None and file.format == "json":
        return _of_array(file, turns)
    return _of_rows(file)


def _of_rows(file: FileRows) -> Iterator[Piece]:
    rows = iter(file)
    while taken := list(islice(rows, _ROWS_A_PIECE)):
        found = [row for _, row in taken]
        yield Piece(taken[0][0], None, lambda found=found: found)  # type: ignore[misc]


def _of_lines(file: FileRows, turns: pa.Schema) -> Iterator[Piece]:
    with ByteStream(file.path, file.compression) as stream:
        blocks = line_blocks(file.path, stream, _BLOCK_BYTES)
        yield from _parsed_ahead(blocks, turns, _with_num_lines, lambda block: list(map(parsed, _lines(block))))


def _of_array(file: FileRows, turns: pa.Schema) -> Iterator[Piece]:
    with ByteStream(file.path, file.compression) as stream:
        array = ArrayPieces(stream, _BLOCK_BYTES)
        yield from _parsed_ahead(array, turns, array.without_commas, _elements)


def _parsed_ahead(
    blocks: Iterable[bytes], turns: pa.Schema, text_of: Text, rows_of: Callable[[bytes], list[FileRow]]
) -> Iterator[Piece]:
    """The next block is parsed while the taker of a piece works on it: pyarrow needs no lock for either."""
    first_row = 1
    with ThreadPoolExecutor(1) as parser:
        for block, columns in _one_ahead((block, parser.submit(_columns, block, turns, text_of)) for block in blocks):
            if columns is not None:
                yield Piece(first_row, columns, lambda block=block: rows_of(block))  # type: ignore[misc]
                first_row += columns.num_rows
            else:
                rows = rows_of(block)
                yield Piece(first_row, None, lambda rows=rows: rows)  # type: ignore[misc]
                first_row += len(rows)


def _one_ahead(
    parsing: Iterator[tuple[bytes, Future[pa.RecordBatch | None]]],
) -> Iterator[tuple[bytes, pa.RecordBatch | None]]:
    waiting = next(parsing, None)
    while waiting:
        following = next(parsing, None)
        yield waiting[0], waiting[1].result()
        waiting = following


def _lines(block: bytes) -> list[bytes]:
    return [line for line in map(bytes.strip, block.split(b"\n")) if line]


def _elements(block: bytes) -> list[FileRow]:
    try:
        found = json.loads(b"[%b]" % block)
    except (ValueError, RecursionError) as error:
        raise IrregularArray from error
    if not all(isinstance(element, dict) for element in found):
        raise IrregularArray
    rows: list[FileRow] = found
    return rows


def _columns(block: bytes, turns: pa.Schema, text_of: Text) -> pa.RecordBatch | None:
    """None too where a NUL is in a text (which no other check would find) or a line is blank."""
    if b"\\u0000" in block:
        return None
    text, num_rows = text_of(block)
    try:
        table = pj.read_json(
            pa.BufferReader(text),
            read_options=pj.ReadOptions(use_threads=False, block_size=len(text) + 1),
            parse_options=pj.ParseOptions(
                explicit_schema=turns,
                unexpected_field_behavior="infer",
                # Lines are rows only where each row is a line.
                newlines_in_values=text_of is not _with_num_lines,
            ),
        )
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return None
    batches = table.to_batches()
    return batches[0] if len(batches) == 1 and table.num_rows == num_rows else None


def _with_num_lines(block: bytes) -> tuple[bytes, int]:
    return block, block.count(b"\n") + (not block.endswith(b"\n"))
