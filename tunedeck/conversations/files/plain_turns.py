"""Turns of nothing but role and text, judged and renamed as columns.

Most rows of most data sets are such. Whatever else a turn or a row may have (a weight, a call, a tool, a null) makes
the piece not plain, and it is read row by row by the code that knows it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from tunedeck.conversations.conversation import Role

TURN: Final = pa.struct([("role", pa.string()), ("content", pa.string())])


def turns_schema(column: str, role_key: str, content_key: str) -> pa.Schema:
    """What the column of turns must be for its rows to be plain."""
    return pa.schema([(column, pa.list_(pa.struct([(role_key, pa.string()), (content_key, pa.string())])))])


class PlainTurns:
    """Takes the column of turns out of pieces, as a list of `TURN`."""

    def __init__(
        self,
        column: str,
        role_key: str,
        content_key: str,
        roles: Mapping[str, Role],
        special_columns: frozenset[str],
        special_keys: frozenset[str],
    ) -> None:
        self.schema = turns_schema(column, role_key, content_key)
        self._column, self._role_key, self._content_key = column, role_key, content_key
        self._special_columns, self._special_keys = special_columns - {column}, special_keys
        self._names = pa.array(list(roles), pa.string())
        self._roles = pa.array(list(roles.values()), pa.string())

    def of(self, batch: pa.RecordBatch) -> pa.ListArray | None:
        """None where the piece is not plain."""
        if self._column not in batch.schema.names or not _absent(
            batch.columns, batch.schema.names, self._special_columns
        ):
            return None
        turns = batch.column(self._column)
        if not pa.types.is_list(turns.type) or not pa.types.is_struct(turns.type.value_type) or turns.null_count:
            return None
        structs = turns.values
        names = [field.name for field in structs.type]
        if structs.null_count or not _absent(structs.flatten(), names, self._special_keys):
            return None
        return self._renamed(turns, structs)

    def _renamed(self, turns: pa.ListArray, structs: pa.StructArray) -> pa.ListArray | None:
        content = _text(structs, self._content_key)
        found = _text(structs, self._role_key)
        if content is None or found is None:
            return None
        index = pc.index_in(found, self._names)
        if index.null_count:
            return None
        renamed = pa.StructArray.from_arrays([self._roles.take(index), content], fields=list(TURN))
        return pa.ListArray.from_arrays(turns.offsets, renamed)


def _text(structs: pa.StructArray, key: str) -> pa.StringArray | None:
    if structs.type.get_field_index(key) < 0:
        return None
    values = structs.field(key)
    if values.null_count or values.type != pa.string():
        return None
    try:
        values.validate(full=True)  # pyarrow reads JSON without a look at its UTF-8
    except pa.ArrowInvalid:
        return None
    return values


def _absent(columns: list[Any], names: list[str], special: frozenset[str]) -> bool:
    """Whether all that would need a closer look is null."""
    return all(column.null_count == len(column) for column, name in zip(columns, names, strict=True) if name in special)
