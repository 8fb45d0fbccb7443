"""INSERT … ON CONFLICT DO NOTHING and UPDATE for many rows at once, on either database.

On PostgreSQL all rows go as one JSON document: a statement a row, even in a pipeline, costs ten times as much processor
time, a VALUES list is compiled anew for every number of rows, and psycopg writes arrays an element at a time. SQLite
runs a statement a row in microseconds. The statements are written here and handed to the driver as they are: putting
one together from its parts takes SQLAlchemy longer than SQLite takes to run it. Changing mapped objects was rejected
where hundreds change a second: the session compares, sorts and binds each of them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from sqlalchemy import JSON, Dialect, Table
from sqlalchemy.orm import Session

from backend.db.json_text import json_text

Rows = list[dict[str, Any]]


def insert_all(session: Session, table: Table, rows: Rows) -> None:
    """Insert `rows`. All must have the same keys: every column but those that the database numbers itself."""
    _run(session, table, rows, _insert)


def insert_new(session: Session, table: Table, rows: Rows) -> None:
    """Insert `rows`, leaving out those that clash with one that is there. All must have the same keys."""
    _run(session, table, rows, _insert_new)


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
