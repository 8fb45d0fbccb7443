"""From a file of any shape and format to Parquet with a `messages` column.

Only the form changes: every row is written, in order, and a row that cannot be understood is an error that names it.
What becomes of rows that are understood but doubtful is decided where the data set is checked and trained.
OpenHermes-2.5 comes out as the recipe's own script writes it.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tunedeck.component import Component
from tunedeck.conversations.conversation import Conversation
from tunedeck.conversations.faults import Fault, file_fault, no_rows
from tunedeck.conversations.files import open_rows
from tunedeck.conversations.files.array_pieces import IrregularArray
from tunedeck.conversations.files.messages_parquet import MessagesParquet, is_narrow
from tunedeck.conversations.files.pieces import Piece, pieces
from tunedeck.conversations.files.plain_turns import PlainTurns
from tunedeck.conversations.reading import DEFAULT_READING, Reading, Shape
from tunedeck.conversations.shapes import Converter, columns_read, keys_of, recognised
from tunedeck.conversations.turns import ROLES, SPECIAL_KEYS
from tunedeck.errors import BadInput

_TURN_COLUMNS: Final[dict[Shape, str]] = {"messages": "messages", "sharegpt": "conversations"}


class Conversion(Component):
    """What was written. `shape` is that of the source."""

    shape: Shape
    num_rows: int
    size_bytes: int


class _NotNarrow(Exception):
    """A conversation has more than roles and texts: the file is begun again, wide."""


def convert(path: Path, target: Path, reading: Reading = DEFAULT_READING) -> Conversion:
    """Write `target`, which appears when it is complete. Raises DatasetInvalid for a row that cannot be understood,
    BadInput where there is a file already or no folder for it."""
    if target.exists():
        raise BadInput.at("TARGET", str(target), f"{target} exists already", "name a file that does not exist")
    if not target.parent.is_dir():
        raise BadInput.at("TARGET", str(target), f"there is no folder {target.parent}", "make the folder first")
    handle, name = tempfile.mkstemp(prefix=f".{target.name}-", dir=target.parent)
    os.close(handle)
    unfinished = Path(name)
    try:
        found = _write(path, unfinished, reading, wide=False, in_columns=True)
        unfinished.chmod(0o644)
        unfinished.rename(target)
        return found
    finally:
        unfinished.unlink(missing_ok=True)


def _write(path: Path, target: Path, reading: Reading, *, wide: bool, in_columns: bool) -> Conversion:
    shape = _shape(path, reading)
    plain = _plain_turns(shape, reading) if in_columns else None
    try:
        num_rows = _write_pieces(path, target, Converter(shape, reading), plain, wide=wide)
    except _NotNarrow:
        return _write(path, target, reading, wide=True, in_columns=False)
    except IrregularArray:
        return _write(path, target, reading, wide=wide, in_columns=False)
    return Conversion(shape=shape, num_rows=num_rows, size_bytes=target.stat().st_size)


def _shape(path: Path, reading: Reading) -> Shape:
    if reading.shape:
        return reading.shape
    for number, row in open_rows(path, columns_read(reading.columns)):
        if isinstance(row, Fault):
            raise file_fault(path, f"row {number}", row.message, row.mend)
        return recognised(path, number, row, reading.columns)
    raise no_rows(path)


def _write_pieces(path: Path, target: Path, converter: Converter, plain: PlainTurns | None, *, wide: bool) -> int:
    num_rows = 0
    with MessagesParquet(target, wide=wide) as parquet:
        for piece in pieces(open_rows(path, converter.columns_read), plain.schema if plain else None):
            turns = plain.of(piece.columns) if plain and piece.columns is not None else None
            if turns is not None:
                parquet.write_turns(turns)
                num_rows += len(turns)
                continue
            conversations = list(_conversations(path, piece, converter))
            if not wide and not all(map(is_narrow, conversations)):
                raise _NotNarrow
            parquet.write(conversations)
            num_rows += len(conversations)
    return num_rows


def _conversations(path: Path, piece: Piece, converter: Converter) -> Iterator[Conversation]:
    for number, row in enumerate(piece.rows(), piece.first_row):
        fault = row if isinstance(row, Fault) else None
        if not isinstance(row, Fault):
            converted = converter.convert(row)
            fault = converted.faults[0] if converted.faults else None
        if fault:
            raise file_fault(path, f"row {number}", fault.message, fault.mend)
        yield converted.conversation


def _plain_turns(shape: Shape, reading: Reading) -> PlainTurns | None:
    """None for shapes whose rows are no lists of turns."""
    if shape not in _TURN_COLUMNS:
        return None
    column = getattr(reading.columns, _TURN_COLUMNS[shape])
    special = columns_read(reading.columns) - {column}
    return PlainTurns(column, *keys_of(shape, reading.columns), {**ROLES, **reading.roles}, special, SPECIAL_KEYS)
