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
from tunedeck.conversations.files.bytestream import ByteStream
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

# A batch, and which share of the file ends with it.
Shared = Iterator[tuple[pa.RecordBatch, float]]


class Batches:
    """Iterates once over batches of some rows; `share` of the file, from 0 to 1, has been given."""

    def __init__(self, path: Path, kind: str, batches: Shared) -> None:
        self._path = path
        self._kind = kind
        self._batches = batches
        self.share = 0.0

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        number, num_bytes, size_bytes = 0, 0, self._path.stat().st_size
        while found := self._next(number):
            batch, share = found
            if batch.nbytes > _MOST_BATCH_BYTES:
                what = f"{batch.num_rows} rows hold {batch.nbytes:,} bytes"
                raise file_fault(self._path, f"row {number + 1}", what, "split such conversations, or leave them out")
            num_bytes += _decoded_bytes(batch)
            if num_bytes > max(_HARMLESS_BYTES, _MOST_RATIO * size_bytes):
                held = f"its first {number + batch.num_rows:,} rows hold {num_bytes:,} bytes, the file {size_bytes:,}"
                what = f"{held}: no conversations repeat themselves like that"
                raise file_fault(self._path, "", what, "leave out what is repeated in every row")
            yield batch
            number += batch.num_rows
            self.share = share

    def _next(self, num_rows: int) -> tuple[pa.RecordBatch, float] | None:
        try:
            return next(self._batches, None)
        except MemoryError as error:
            raise too_large(self._path, num_rows) from error
        except _ERRORS as error:
            raise _broken(self._path, self._kind, error, num_rows) from error


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
    return columns, Batches(path, "Parquet", _parquet_batches(file, read))


def arrow(path: Path, source: Any, wanted: frozenset[str], *, stream: bool) -> tuple[tuple[str, ...], Batches]:
    try:
        opened = pa.memory_map(str(source)) if isinstance(source, Path) else source
        reader = pa.ipc.open_stream(opened) if stream else pa.ipc.open_file(opened)
        columns = tuple(reader.schema.names)
    except _ERRORS as error:
        raise _broken(path, "Arrow", error) from error
    read = [name for name in columns if name in wanted]
    batches = _streamed(reader, opened) if stream else _indexed(reader)
    return columns, Batches(path, "Arrow", _arrow_batches(batches, read))


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


def _parquet_batches(file: pq.ParquetFile, columns: list[str]) -> Shared:
    """Batches of about 8 MiB by what the footer says of each row group."""
    num_given = 0
    with file:
        for index in range(file.num_row_groups):
            group = file.metadata.row_group(index)
            bytes_a_row = group.total_byte_size // max(group.num_rows, 1) + 1
            num_rows = max(1, min(_MOST_BATCH_ROWS, _BATCH_BYTES // bytes_a_row))
            for batch in file.iter_batches(num_rows, row_groups=[index], columns=columns, use_threads=False):
                num_given += batch.num_rows
                yield batch, num_given / max(file.metadata.num_rows, num_given)


def _streamed(reader: Any, source: Any) -> Shared:
    for batch in reader:
        yield batch, source.share if isinstance(source, ByteStream) else source.tell() / max(source.size(), 1)


def _indexed(reader: Any) -> Shared:
    for index in range(reader.num_record_batches):
        yield reader.get_batch(index), (index + 1) / reader.num_record_batches


def _arrow_batches(batches: Shared, columns: list[str]) -> Shared:
    for batch, share in batches:
        chosen = batch.select(columns)
        chosen.validate(full=True)
        for start in range(0, chosen.num_rows, _MOST_BATCH_ROWS):
            yield chosen.slice(start, _MOST_BATCH_ROWS), share


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
