"""INSERT … ON CONFLICT DO NOTHING and UPDATE for many rows at once, on either database.

On PostgreSQL all rows go as one JSON document: a statement a row, even in a pipeline, costs ten times as much processor
time, a VALUES list is compiled anew for every number of rows, and psycopg writes arrays an element at a time. SQLite
runs a statement a row in microseconds. The statements are written here and handed to the driver as they are: putting
one together from its parts takes SQLAlchemy longer than SQLite takes to run it. Changing mapped objects was rejected
where hundreds change a second: the session compares, sorts and binds each of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import JSON, Dialect, Table
from sqlalchemy.orm import Session

from backend.db.json_text import json_text

Rows = list[dict[str, Any]]


def insert_new(session: Session, table: Table, rows: Rows) -> None:
    """Insert `rows`, leaving out those that clash with one that is there. All must have the same keys."""
    _run(session, table, rows, _insert_new)


class Insertion(NamedTuple):
    """Rows that belong into a table. All must have the same keys: every column but those that the database numbers
    itself. `may_clash`: those that clash with one that is there are left out."""

    table: Table
    rows: Rows
    may_clash: bool = False


def insert_together(session: Session, insertions: Iterable[Insertion]) -> None:
    """Insert into several tables, rows that others refer to first. On PostgreSQL that is one statement, and one trip
    there and back; whether what its rows refer to exists is looked up at its end."""
    wanted = [each for each in insertions if each.rows]
    connection = session.connection()
    if connection.dialect.name != "postgresql":
        for table, rows, may_clash in wanted:
            _run(session, table, rows, _insert_new if may_clash else _insert)
    elif wanted:
        forms = tuple((table, tuple(rows[0]), may_clash) for table, rows, may_clash in wanted)
        sent = {f"rows_{n}": json_text(_as_stored(table, rows)) for n, (table, rows, _) in enumerate(wanted)}
        connection.exec_driver_sql(_insert_together(connection.dialect, forms), sent)


def update_many(session: Session, table: Table, rows: Rows) -> None:
    """Set the other columns of each row whose primary key is given. All must have the same keys, and no two rows the
    same primary key. Mapped objects that are loaded stay as they are."""
    _run(session, table, rows, _update)


def _run(
    session: Session, table: Table, rows: Rows, statement: Callable[[Dialect, Table, tuple[str, ...]], str]
) -> None:
    if not rows:
        return
    connection = session.connection()
    sql, stored = statement(connection.dialect, table, tuple(rows[0])), _as_stored(table, rows)
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(sql, {"rows": json_text(stored)})
    else:
        connection.exec_driver_sql(sql, stored)


@cache
def _insert(dialect: Dialect, table: Table, names: tuple[str, ...]) -> str:
    if dialect.name == "postgresql":
        source = _selected(dialect, table, names)
    else:
        source = f"VALUES ({', '.join(f':{name}' for name in names)})"
    return f"INSERT INTO {table.name} ({', '.join(names)}) {source}"


@cache
def _insert_new(dialect: Dialect, table: Table, names: tuple[str, ...]) -> str:
    return f"{_insert(dialect, table, names)} ON CONFLICT DO NOTHING"


@cache
def _insert_together(dialect: Dialect, forms: tuple[tuple[Table, tuple[str, ...], bool], ...]) -> str:
    """For PostgreSQL; the rows of the first are the parameter `rows_0`, and so on."""
    parts = []
    for number, (table, names, may_clash) in enumerate(forms):
        statement = (_insert_new if may_clash else _insert)(dialect, table, names)
        parts.append(statement.replace("%(rows)s", f"%(rows_{number})s"))
    *before, last = parts
    others = ", ".join(f"part_{number} AS ({part})" for number, part in enumerate(before))
    return f"WITH {others} {last}" if others else last


@cache
def _update(dialect: Dialect, table: Table, names: tuple[str, ...]) -> str:
    keys = [column.name for column in table.primary_key]
    is_document = dialect.name == "postgresql"
    new = "new." if is_document else ":"
    changes = ", ".join(f"{name} = {new}{name}" for name in names if name not in keys)
    same = " AND ".join(f"{table.name}.{key} = {new}{key}" for key in keys)
    source = f"FROM ({_selected(dialect, table, names)}) AS new " if is_document else ""
    return f"UPDATE {table.name} SET {changes} {source}WHERE {same}"


def _selected(dialect: Dialect, table: Table, names: tuple[str, ...]) -> str:
    """JSON columns travel as text: taken apart with the rest, an escaped NUL within them would be refused."""
    types = {name: table.c[name].type.compile(dialect) for name in names}
    travelling = ", ".join(f"{name} {'TEXT' if _is_json(table, name) else types[name]}" for name in names)
    columns = ", ".join(f"CAST({name} AS {types[name]}) AS {name}" for name in names)
    return f"SELECT {columns} FROM json_to_recordset(CAST(%(rows)s AS JSON)) AS sent({travelling})"


def _as_stored(table: Table, rows: Rows) -> Rows:
    documents = {name: type_ for name in rows[0] if isinstance(type_ := table.c[name].type, JSON)}
    if not documents:
        return rows
    return [row | {name: _text(type_, row[name]) for name, type_ in documents.items()} for row in rows]


def _text(type_: JSON, value: Any) -> str | None:
    return None if value is None and type_.none_as_null else json_text(value)


def _is_json(table: Table, name: str) -> bool:
    return isinstance(table.c[name].type, JSON)
