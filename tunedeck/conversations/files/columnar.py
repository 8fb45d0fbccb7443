"""Parquet and Arrow (file, which is Feather, and stream), a few rows at a time.

Only columns that can matter are read: a data set may carry images that nobody trains on. What pyarrow says of a broken
file becomes one sentence; what it would trust in an Arrow file (offsets, UTF-8) is validated, because a wrong offset
would crash the process.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tunedeck.conversations.faults import Fault, excerpt, file_fault
from tunedeck.errors import DatasetInvalid

_MOST_BATCH_ROWS: Final = 256
_BATCH_BYTES: Final = 8 << 20
_MOST_BATCH_BYTES: Final = 1 << 29
_MOST_FOOTER_BYTES: Final = 1 << 26
# A long prompt that all rows share is stored once and grows some hundred times; this is only for bombs.
_MOST_RATIO: Final = 10_000
_HARMLESS_BYTES: Final = 256 << 20
_MEND: Final = "write the file again, or copy it again from its source"
_ERRORS = (pa.ArrowException, OSError, ValueError, OverflowError)

Batches = Iterator[pa.RecordBatch]


def parquet(path: Path, source: Path | Any, wanted: frozenset[str]) -> tuple[tuple[str, ...], Batches]:
    """The names of all columns, and batches of some rows. Raises DatasetInvalid for a file that breaks off or lacks its
    footer."""
    try:
        file = pq.ParquetFile(
            source,
            buffer_size=1 << 20,
            pre_buffer=False,
            thrift_string_size_limit=_MOST_FOOTER_BYTES,
            thrift_container_size_limit=1_000_000,
        )
        columns = tuple(file.schema_arrow.names)
    except _ERRORS as error:
        raise _broken(path, "Parquet", error) from error
    read = [name for name in columns if name in wanted]
    return columns, _checked(path, "Parquet", _parquet_batches(file, read))


def arrow(path: Path, source: Any, wanted: frozenset[str], *, stream: bool) -> tuple[tuple[str, ...], Batches]:
    try:
        opened = pa.memory_map(str(source)) if isinstance(source, Path) else source
        reader = pa.ipc.open_stream(opened) if stream else pa.ipc.open_file(opened)
        columns = tuple(reader.schema.names)
    except _ERRORS as error:
        raise _broken(path, "Arrow", error) from error
    read = [name for name in columns if name in wanted]
    return columns, _checked(path, "Arrow", _arrow_batches(reader, read, stream=stream))


def rows_of(path: Path, batches: Batches) -> Iterator[tuple[int, dict[str, Any] | Fault]]:
    number = 0
    for batch in batches:
        try:
            rows = values(batch)
        except MemoryError as error:
            raise too_large(path, number) from error
        for row in rows:
            number += 1
            yield number, row


def _parquet_batches(file: pq.ParquetFile, columns: list[str]) -> Iterator[pa.RecordBatch]:
    """Batches of about 8 MiB by what the footer says of each row group."""
    with file:
        for index in range(file.num_row_groups):
            group = file.metadata.row_group(index)
            bytes_a_row = group.total_byte_size // max(group.num_rows, 1) + 1
            num_rows = max(1, min(_MOST_BATCH_ROWS, _BATCH_BYTES // bytes_a_row))
            yield from file.iter_batches(num_rows, row_groups=[index], columns=columns, use_threads=False)


def _arrow_batches(reader: Any, columns: list[str], *, stream: bool) -> Iterator[pa.RecordBatch]:
    batches = reader if stream else map(reader.get_batch, range(reader.num_record_batches))
    for batch in batches:
        chosen = batch.select(columns)
        chosen.validate(full=True)
        for start in range(0, chosen.num_rows, _MOST_BATCH_ROWS):
            yield chosen.slice(start, _MOST_BATCH_ROWS)


def _checked(path: Path, kind: str, batches: Batches) -> Batches:
    number, num_bytes, size_bytes = 0, 0, path.stat().st_size
    while True:
        try:
            batch = next(batches, None)
        except MemoryError as error:
            raise too_large(path, number) from error
        except _ERRORS as error:
            raise _broken(path, kind, error, number) from error
        if batch is None:
            return
        if batch.nbytes > _MOST_BATCH_BYTES:
            what = f"{batch.num_rows} rows hold {batch.nbytes:,} bytes"
            raise file_fault(path, f"row {number + 1}", what, "split such conversations, or leave them out")
        num_bytes += _decoded_bytes(batch)
        if num_bytes > max(_HARMLESS_BYTES, _MOST_RATIO * size_bytes):
            held = f"its first {number + batch.num_rows:,} rows hold {num_bytes:,} bytes, the file {size_bytes:,}"
            what = f"{held}: no conversations repeat themselves like that"
            raise file_fault(path, "", what, "leave out what is repeated in every row")
        yield batch
        number += batch.num_rows


def _decoded_bytes(batch: pa.RecordBatch) -> int:
    """A text of a dictionary counts in every row that names it."""
    return sum(
        pc.sum(pc.binary_length(column.dictionary).take(column.indices)).as_py() or 0
        if pa.types.is_dictionary(column.type) and pa.types.is_string(column.type.value_type)
        else column.nbytes
        for column in batch.columns
    )


def values(batch: pa.RecordBatch) -> list[dict[str, Any] | Fault]:
    try:
        rows: list[dict[str, Any] | Fault] = batch.to_pylist()
        return rows
    except UnicodeDecodeError:
        return [_value(batch.slice(index, 1)) for index in range(batch.num_rows)]


def _value(row: pa.RecordBatch) -> dict[str, Any] | Fault:
    try:
        value: dict[str, Any] = row.to_pylist()[0]
        return value
    except UnicodeDecodeError as error:
        around = error.object[max(error.start - 10, 0) : error.start + 10]
        return Fault("encoding", f"not UTF-8 text near {around!r}", "save the file with UTF-8 text")


def too_large(path: Path, num_rows: int) -> DatasetInvalid:
    """A dictionary of one text can stand for gigabytes in a file of some bytes."""
    what = "the next rows need more memory than there is"
    return file_fault(path, f"behind row {num_rows}", what, "split such conversations, or leave them out")


def _broken(path: Path, kind: str, error: Exception, num_rows: int = 0) -> DatasetInvalid:
    where = f"behind row {num_rows}" if num_rows else ""
    return file_fault(path, where, f"not a whole {kind} file: {excerpt(str(error), 200)}", _MEND)
