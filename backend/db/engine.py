"""How each of the two databases is opened so that both behave alike: one writer at a time, readers that never wait.

One writer, on PostgreSQL too: every writing transaction takes one advisory lock first. Therefore ids of the feed become
visible in the order in which they were given (a listener that has seen id 7 has not missed 6), what is read may be
decided upon and written, and nothing deadlocks: exactly what SQLite's `BEGIN IMMEDIATE` gives. Row locks with retries
of what fails to serialise were rejected: each of our transactions takes milliseconds, one backend leads, and every
query would have to be right twice. Ids that are given at the commit would be right as well, but only the ids.
"""

from __future__ import annotations

import importlib.util
import sqlite3
import time
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import ConnectionPoolEntry

from backend.db.json_text import json_text, json_value
from tunedeck.errors import BadInput

# How long a statement waits for another's lock, in seconds.
BUSY_TIMEOUT_S = 15
# A process that was suspended amid a transaction loses it after so long; it would hold up every other backend for ever.
# About the lease of the leader, so that whoever takes over need not wait longer for the lock than for the lead.
IDLE_TRANSACTION_TIMEOUT_S = 4
# FastAPI's thread pool has 40 threads; scheduler, ingest, pump and compactor come on top.
_COMMON: dict[str, Any] = {
    "pool_size": 16,
    "max_overflow": 40,
    "json_serializer": json_text,
    "json_deserializer": json_value,
}
# The key of the advisory lock: any number that nothing else in the database uses.
_WRITER = 8_500_001


def open_engine(url: str) -> Engine:
    """An engine whose connections write only with `execution_options(writes=True)`. Raises BadInput at `database_url`
    for a database that is neither SQLite nor PostgreSQL through psycopg 3."""
    parsed = _parsed(url)
    return _sqlite(parsed) if parsed.drivername.startswith("sqlite") else _postgresql(parsed)


def _parsed(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise _unusable("that is not the address of a database") from None
    if parsed.drivername in ("postgresql", "postgres"):
        parsed = parsed.set(drivername="postgresql+psycopg")
    if parsed.drivername not in ("sqlite", "sqlite+pysqlite", "postgresql+psycopg"):
        raise _unusable(f"{parsed.drivername!r} is not a database that Tunedeck knows")
    if parsed.drivername == "postgresql+psycopg" and importlib.util.find_spec("psycopg") is None:
        message = "PostgreSQL needs psycopg, which is not installed"
        raise BadInput.at("database_url", parsed.drivername, message, "pip install 'tunedeck[postgres]'")
    return parsed


def _unusable(message: str) -> BadInput:
    mend = "write postgresql+psycopg://USER:PASSWORD@HOST/DATABASE, or nothing for SQLite in the data folder"
    # Without the address itself: it may hold a password.
    return BadInput.at("database_url", "", message, mend)


def _sqlite(url: URL) -> Engine:
    if url.database:
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    waiting = {"timeout": BUSY_TIMEOUT_S, "check_same_thread": False}
    engine = create_engine(url, connect_args=waiting, **_COMMON)
    event.listen(engine, "connect", _configure_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _configure_sqlite(connection: sqlite3.Connection, _: ConnectionPoolEntry) -> None:
    connection.isolation_level = None
    _write_ahead(connection)
    for pragma in ("synchronous=NORMAL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}").close()


def _write_ahead(connection: sqlite3.Connection) -> None:
    # The one lock that SQLite does not wait for: two processes that open a new file at once both change its journal.
    give_up_at = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL").close()
        except sqlite3.OperationalError as fault:
            if fault.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > give_up_at:
                raise
            time.sleep(0.02)
        else:
            return


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE" if _writes(connection) else "BEGIN DEFERRED")


def _postgresql(url: URL) -> Engine:
    engine = create_engine(url, pool_pre_ping=True, **_COMMON)
    event.listen(engine, "connect", _configure_postgresql)
    event.listen(engine, "begin", _begin_postgresql)
    return engine


def _configure_postgresql(connection: Any, _: ConnectionPoolEntry) -> None:
    from backend.db.postgresql_text import NulFreeDumper

    connection.adapters.register_dumper(str, NulFreeDumper)
    limits = (("lock_timeout", BUSY_TIMEOUT_S), ("idle_in_transaction_session_timeout", IDLE_TRANSACTION_TIMEOUT_S))
    with connection.cursor() as cursor:
        cursor.execute("; ".join(f"SET {name} = {int(limit_s * 1000)}" for name, limit_s in limits))
    connection.commit()


def _begin_postgresql(connection: Connection) -> None:
    if _writes(connection):
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_WRITER})")


def _writes(connection: Connection) -> bool:
    return bool(connection.get_execution_options().get("writes", False))
