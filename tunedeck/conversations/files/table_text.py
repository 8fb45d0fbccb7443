"""CSV, with a header line. A cell is text; a cell that holds a list of turns holds it as JSON.

The standard library's reader in strict mode: pyarrow's guesses types, and says neither row nor line where a quote is
never closed. A row number counts records, which may span lines.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from tunedeck.conversations.faults import Fault, excerpt, file_fault
from tunedeck.conversations.files.bytestream import CHUNK_BYTES, ByteStream

SEPARATORS: Final = (b",", b"\t", b";")
_MOST_ROW_CHARS = 1 << 26
_MEND: Final = "write a quote inside a cell twice, and close each quoted cell; or give JSONL"


def csv_rows(path: Path, stream: ByteStream) -> tuple[tuple[str, ...], Iterator[tuple[int, dict[str, Any] | Fault]]]:
    """The names of the columns, and the rows. Raises DatasetInvalid where a quote or the encoding breaks the file."""
    # A limit of the whole process, and its default of 131,072 is less than a long conversation.
    csv.field_size_limit(_MOST_ROW_CHARS)
    lines = _Lines(path, stream)
    header = lines.header()
    reader = csv.reader(lines, delimiter=_separator(header), strict=True)
    columns = _columns(path, header, _separator(header))
    return columns, _records(path, lines, reader, columns)


class _Lines:
    """Decoded lines with their ends."""

    def __init__(self, path: Path, stream: ByteStream) -> None:
        self._path = path
        self._lines = io.TextIOWrapper(
            io.BufferedReader(stream, CHUNK_BYTES), encoding="utf-8-sig", errors="strict", newline=""
        )
        self._first = ""

    def header(self) -> str:
        while not self._first.strip():
            self._first = self._line()
        return self._first

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = self._line()
        if not line:
            raise StopIteration
        return line

    def close(self) -> None:
        self._lines.close()

    def _line(self) -> str:
        try:
            return self._lines.readline(_MOST_ROW_CHARS + 1)
        except UnicodeDecodeError as error:
            near = error.object[max(error.start - 10, 0) : error.start + 10]
            raise file_fault(self._path, "", f"not UTF-8 text near {near!r}", "save the file as UTF-8") from error


def _separator(header: str) -> str:
    separators = [separator.decode() for separator in SEPARATORS]
    return max(separators, key=header.count)


def _columns(path: Path, header: str, separator: str) -> tuple[str, ...]:
    try:
        names = next(csv.reader([header], delimiter=separator, strict=True))
    except csv.Error as error:
        raise file_fault(path, "header", f"{error}: {excerpt(header)}", _MEND) from error
    columns = tuple(name.strip() for name in names)
    if len(set(columns)) < len(columns):
        raise file_fault(path, "header", f"names a column twice: {excerpt(list(columns))}", "give each its own name")
    return columns


def _records(
    path: Path, lines: _Lines, reader: Any, columns: tuple[str, ...]
) -> Iterator[tuple[int, dict[str, Any] | Fault]]:
    number = 0
    try:
        while True:
            cells = _next(path, number + 1, reader)
            if cells is None:
                return
            if not cells:
                continue
            number += 1
            yield number, _row(cells, columns)
    finally:
        lines.close()


def _next(path: Path, number: int, reader: Any) -> list[str] | None:
    try:
        cells: list[str] | None = next(reader, None)
    except csv.Error as error:
        what = f"a quote is not closed or stands where none may ({error})"
        if "limit" in str(error):
            what = f"a quote is not closed, or a cell is longer than {_MOST_ROW_CHARS:,} characters"
        raise file_fault(path, f"row {number}", what, _MEND) from error
    return cells


def _row(cells: list[str], columns: tuple[str, ...]) -> dict[str, Any] | Fault:
    if len(cells) != len(columns):
        what = f"has {len(cells)} cells, the header names {len(columns)}: {excerpt(cells)}"
        return Fault("malformed", what, _MEND)
    return dict(zip(columns, cells, strict=True))
