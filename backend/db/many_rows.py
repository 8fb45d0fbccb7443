"""INSERT … ON CONFLICT DO NOTHING and UPDATE for many rows at once, on either database.

On PostgreSQL all rows go as one JSON document: a statement a row, even in a pipeline, costs ten times as much processor
time, a VALUES list is compiled anew for every number of rows, and psycopg writes arrays an element at a time. SQLite
runs a statement a row in microseconds. Changing mapped objects was rejected where hundreds change a second: the session
compares, sorts and binds each of them.
"""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from sqlalchemy import JSON, Dialect, Table, TextClause, Update, and_, bindparam, text
from sqlalchemy.dialects import sqlite
from sqlalchemy.orm import Session


def insert_all(session: Session, table: Table, rows: list[dict[str, Any]]) -> None:
    """Insert `rows`. All must have the same keys: every column but those that the database numbers itself."""
    if not rows:
        return
    dialect = session.get_bind().dialect
    if dialect.name == "postgresql":
        session.execute(_insert_document(dialect, table, tuple(rows[0])), {"rows": _document(table, rows)})
    else:
        session.connection().execute(table.insert(), rows)


def insert_new(session: Session, table: Table, rows: list[dict[str, Any]]) -> None:
    """Insert `rows`, leaving out those that clash with one that is there. All must have the same keys."""
    if not rows:
        return
    dialect = session.get_bind().dialect
    if dialect.name == "postgresql":
        session.execute(_insert_new_document(dialect, table, tuple(rows[0])), {"rows": _document(table, rows)})
    else:
        session.execute(sqlite.insert(table).on_conflict_do_nothing(), rows)


def update_many(session: Session, table: Table, rows: list[dict[str, Any]]) -> None:
    """Set the other columns of each row whose primary key is given. All must have the same keys, and no two rows the
    same primary key. Mapped objects that are loaded stay as they are."""
    if not rows:
        return
    dialect = session.get_bind().dialect
    names = tuple(rows[0])
    if dialect.name == "postgresql":
        session.execute(_update_document(dialect, table, names), {"rows": _document(table, rows)})
    else:
        bound = [{f"new_{name}": value for name, value in row.items()} for row in rows]
        session.connection().execute(_update_each(table, names), bound)


@cache
def _insert_document(dialect: Dialect, table: Table, names: tuple[str, ...]) -> TextClause:
    return text(f"INSERT INTO {table.name} ({', '.join(names)}) {_selected(dialect, table, names)}")


@cache
def _insert_new_document(dialect: Dialect, table: Table, names: tuple[str, ...]) -> TextClause:
    return text(f"{_insert_document(dialect, table, names)} ON CONFLICT DO NOTHING")


@cache
def _update_document(dialect: Dialect, table: Table, names: tuple[str, ...]) -> TextClause:
    keys = [column.name for column in table.primary_key]
    changes = ", ".join(f"{name} = new.{name}" for name in names if name not in keys)
    same = " AND ".join(f"{table.name}.{key} = new.{key}" for key in keys)
    return text(f"UPDATE {table.name} SET {changes} FROM ({_selected(dialect, table, names)}) AS new WHERE {same}")


@cache
def _update_each(table: Table, names: tuple[str, ...]) -> Update:
    new = {name: bindparam(f"new_{name}", type_=table.c[name].type) for name in names}
    keys = [column.name for column in table.primary_key]
    same = and_(*(table.c[key] == new[key] for key in keys))
    return table.update().where(same).values({name: new[name] for name in names if name not in keys})


def _selected(dialect: Dialect, table: Table, names: tuple[str, ...]) -> str:
    """JSON columns travel as text: taken apart with the rest, an escaped NUL within them would be refused."""
    types = {name: table.c[name].type.compile(dialect) for name in names}
    travelling = ", ".join(f"{name} {'TEXT' if _is_json(table, name) else types[name]}" for name in names)
    columns = ", ".join(f"CAST({name} AS {types[name]}) AS {name}" for name in names)
    return f"SELECT {columns} FROM json_to_recordset(CAST(:rows AS JSON)) AS sent({travelling})"


def _document(table: Table, rows: list[dict[str, Any]]) -> str:
    documents = {name: type_ for name in rows[0] if isinstance(type_ := table.c[name].type, JSON)}
    return json.dumps([row | {name: _text(type_, row[name]) for name, type_ in documents.items()} for row in rows])


def _text(type_: JSON, value: Any) -> str | None:
    return None if value is None and type_.none_as_null else json.dumps(value)


def _is_json(table: Table, name: str) -> bool:
    return isinstance(table.c[name].type, JSON)
