"""INSERT … ON CONFLICT DO NOTHING for many rows, which SQLAlchemy has for each database but not for both at once.

On PostgreSQL the rows go as one array for each column: a statement a row, even in a pipeline, costs ten times as much
processor time, and a VALUES list is compiled anew for every number of rows.
"""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from sqlalchemy import JSON, Dialect, Table, TextClause, text
from sqlalchemy.dialects import sqlite
from sqlalchemy.orm import Session


def insert_new(session: Session, table: Table, rows: list[dict[str, Any]]) -> None:
    """Insert `rows`, leaving out those that clash with one that is there. All must have the same keys."""
    if not rows:
        return
    dialect = session.get_bind().dialect
    if dialect.name == "postgresql":
        names = tuple(rows[0])
        session.execute(_insert_arrays(dialect, table, names), {name: _array(table, name, rows) for name in names})
    else:
        session.execute(sqlite.insert(table).on_conflict_do_nothing(), rows)


@cache
def _insert_arrays(dialect: Dialect, table: Table, names: tuple[str, ...]) -> TextClause:
    arrays = ", ".join(f"CAST(:{name} AS {table.c[name].type.compile(dialect)}[])" for name in names)
    into = f"{table.name} ({', '.join(names)})"
    return text(f"INSERT INTO {into} SELECT * FROM unnest({arrays}) ON CONFLICT DO NOTHING")


def _array(table: Table, name: str, rows: list[dict[str, Any]]) -> list[Any]:
    if isinstance(table.c[name].type, JSON):
        return [json.dumps(row[name]) for row in rows]
    return [row[name] for row in rows]
