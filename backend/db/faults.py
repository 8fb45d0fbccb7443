"""What a failing database means to a user: a full disk (507), a database that is away or too busy (503), or a job
whose state cannot change like this (409), which a trigger says (migration 0003).

Everything else is a fault of ours and stays what it was. SQLite tells them apart only by result code, PostgreSQL by
SQLSTATE, and SQLAlchemy wraps most of them as OperationalError.
"""

from __future__ import annotations

import sqlite3

from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from tunedeck.errors import DiskFull, IllegalTransition, TunedeckError, Unavailable

_POSTGRES_DISK_FULL = "53100"
_ILLEGAL_TRANSITION = "illegal_transition:"
# Beginnings of SQLSTATE: 08 connection, 53 resources, 55P03 a lock not to be had in time, 57 shut down or cancelled,
# 25P03 a transaction that was idle for too long. psycopg calls some of them InternalError.
_POSTGRES_AWAY = ("08", "53", "55P03", "57", "25P03")
_SCHEMA_FAULTS = ("no such table", "no such column", "syntax error")


def disk_full(what: str) -> DiskFull:
    """The error for a disk without room for `what`."""
    return DiskFull(f"there is no room left on the disk for {what}", "free some space and send it again")


def as_tunedeck_error(fault: SQLAlchemyError) -> TunedeckError | None:
    """The error a user can act on, or None where the fault is a mistake in our own SQL."""
    if isinstance(fault, PoolTimeout):
        return Unavailable("every database connection is in use", "try again in a moment")
    if not isinstance(fault, DBAPIError):
        return None
    if _is_disk_full(fault.orig):
        return disk_full("the database")
    if isinstance(fault, IntegrityError) and _ILLEGAL_TRANSITION in str(fault.orig):
        message = "the job's state has changed meanwhile, or cannot change like this"
        return IllegalTransition(message, "look at the job as it is now, and ask again")
    if not _is_away(fault):
        return None
    return Unavailable(f"the database did not answer: {fault.orig}", "try again; the log of the backend says more")


def _is_away(fault: DBAPIError) -> bool:
    if sqlstate := getattr(fault.orig, "sqlstate", None):
        return str(sqlstate).startswith(_POSTGRES_AWAY)
    return isinstance(fault, OperationalError) and not any(sign in str(fault.orig) for sign in _SCHEMA_FAULTS)


def _is_disk_full(original: BaseException | None) -> bool:
    if isinstance(original, sqlite3.Error):
        return getattr(original, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
    return getattr(original, "sqlstate", None) == _POSTGRES_DISK_FULL
