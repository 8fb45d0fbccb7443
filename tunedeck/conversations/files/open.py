"""Which format a file has, and the reader for it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tunedeck.conversations.faults import Fault, file_fault
from tunedeck.conversations.files import columnar, json_array, json_lines, table_text
from tunedeck.conversations.files.bytestream import CHUNK_BYTES, ByteStream, compression_of
from tunedeck.conversations.files.columnar import Batches
from tunedeck.conversations.files.parts import Columns, Lines, Part, parts_of_rows
from tunedeck.conversations.report import Compression, Format
from tunedeck.errors import DatasetInvalid

_HEAD_BYTES: Final = 4096
_MEND_FORMAT: Final = "give JSON, JSONL, CSV, Parquet or Arrow, plain or compressed with gzip or zstd"
_UTF16: Final = (b"\xff\xfe", b"\xfe\xff")
_BINARY: Final[dict[bytes, Format]] = {b"PAR1": "parquet", b"ARROW1": "arrow", b"\xff\xff\xff\xff": "arrow"}
_OTHER: Final = {
    b"PK\x03\x04": "a zip archive (or a spreadsheet)",
    b"BZh": "compressed with bzip2",
    b"\xfd7zXZ\0": "compressed with xz",
    b"FEA1": "in the first version of Feather",
    b"\x80\x04\x95": "a Python pickle, which is never loaded",
    b"SQLite format 3": "a database",
}


@dataclass(frozen=True)
class FileRows:
    """Iterates once over (row number from 1, row or what is wrong with it), or over parts of many rows. `columns` is
    empty where only rows tell them."""

    path: Path
    format: Format
    compression: Compression
    columns: tuple[str, ...]
    rows: Iterator[tuple[int, dict[str, Any] | Fault]]
    source: ByteStream | Batches

    @property
    def share(self) -> float:
        """How much of the file the rows have been read from, from 0 to 1."""
        return self.source.share

    def __iter__(self) -> Iterator[tuple[int, dict[str, Any] | Fault]]:
        try:
            yield from self.rows
        except OSError as error:
            raise _unreadable(self.path, error) from error

    def parts(self, num_bytes: int) -> Iterator[Part]:
        """The same rows, all of them. Lines come in blocks of `num_bytes` where no line is longer."""
        try:
            if isinstance(self.source, Batches):
                yield from map(Columns, self.source)
            elif self.format == "jsonl":
                with self.source as stream:
                    yield from map(Lines, json_lines.line_blocks(self.path, stream, num_bytes))
            else:
                yield from parts_of_rows(self.rows)
        except OSError as error:
            raise _unreadable(self.path, error) from error


def open_rows(path: Path, wanted: frozenset[str]) -> FileRows:
    """Open a file for one walk over its rows. Columns outside `wanted` may be left out where the format allows.

    Raises DatasetInvalid where there is no file, or none of a known format.
    """
    if not path.is_file():
        raise file_fault(path, "", "there is no such file", "give the path of a file of conversations")
    try:
        compression = compression_of(path)
        with ByteStream(path, compression) as stream:
            head = _head(stream)
        return _opened(path, compression, _format(path, head), wanted, head)
    except OSError as error:
        raise _unreadable(path, error) from error


def _opened(path: Path, compression: Compression, kind: Format, wanted: frozenset[str], head: bytes) -> FileRows:
    columns: tuple[str, ...] = ()
    rows: Iterator[tuple[int, dict[str, Any] | Fault]]
    if kind == "parquet":
        columns, batches = columnar.parquet(path, _seekable(path, compression), wanted)
        return FileRows(path, kind, compression, columns, columnar.rows_of(path, batches), batches)
    if kind == "arrow":
        stream = not head.startswith(b"ARROW1")
        source = ByteStream(path, compression) if stream and compression != "none" else _seekable(path, compression)
        columns, batches = columnar.arrow(path, source, wanted, stream=stream)
        return FileRows(path, kind, compression, columns, columnar.rows_of(path, batches), batches)
    text = ByteStream(path, compression)
    if kind == "csv":
        columns, rows = table_text.csv_rows(path, text)
    elif kind == "json":
        rows = json_array.array_rows(path, text)
    else:
        rows = json_lines.line_rows(path, text)
    return FileRows(path, kind, compression, columns, rows, text)


def _head(stream: ByteStream) -> bytes:
    """The first bytes, of which some are not white space if any are."""
    head = b""
    while len(head) < _HEAD_BYTES and (read := stream.read(_HEAD_BYTES)):
        head = (head + read) if head.strip() else read
    return head


def _format(path: Path, head: bytes) -> Format:
    for magic, found in _BINARY.items():
        if head.startswith(magic):
            return found
    for magic, what in _OTHER.items():
        if head.startswith(magic):
            raise file_fault(path, "", f"is {what}", _MEND_FORMAT)
    if head and not head.strip(b"\0"):
        raise file_fault(path, "", "begins with nothing but NUL bytes", _MEND_FORMAT)
    if head.startswith(_UTF16) or head[1:200:2].count(0) > 20 or head[:200:2].count(0) > 20:
        raise file_fault(path, "", "is UTF-16, not UTF-8 text", "save the file as UTF-8")
    if not head.strip(b" \t\r\n\xef\xbb\xbf"):
        raise file_fault(path, "", "the file is empty", _MEND_FORMAT)
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if ".parquet" in suffixes or head[:200].count(0):
        raise file_fault(path, "", "is neither text nor begins like Parquet or Arrow", _MEND_FORMAT)
    return _text_format(suffixes, head.removeprefix(b"\xef\xbb\xbf").lstrip())


def _text_format(suffixes: list[str], head: bytes) -> Format:
    if ".csv" in suffixes or ".tsv" in suffixes:
        return "csv"
    if head.startswith(b"["):
        return "json"
    if head.startswith(b"{") or ".json" in suffixes or ".jsonl" in suffixes:
        return "jsonl"
    first_line = head.partition(b"\n")[0]
    return "csv" if any(separator in first_line for separator in table_text.SEPARATORS) else "jsonl"


def _seekable(path: Path, compression: Compression) -> Path | Any:
    """Parquet and Arrow files are read from their end: a compressed one is written out first, without a name."""
    if compression == "none":
        return path
    spool = tempfile.TemporaryFile()  # noqa: SIM115 - the reader closes it
    with ByteStream(path, compression) as stream:
        while read := stream.read(CHUNK_BYTES):
            spool.write(read)
    spool.seek(0)
    return spool


def _unreadable(path: Path, error: OSError) -> DatasetInvalid:
    why = error.strerror or str(error)
    return file_fault(path, "", f"cannot be read: {why}", "make the file readable for this user")
