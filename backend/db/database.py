"""The one way to the database: an engine, and sessions that say beforehand whether they write.

A writing session waits for its turn and then has the database to itself until it commits, which it does exactly once,
at the end of its `with` block; a reading one sees one snapshot and never waits. Whatever takes time (parsing, files,
the bus) belongs before a writing block and not into it. `backend/db/engine.py` says how each database is made to do so.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from backend.db.engine import BUSY_TIMEOUT_S, open_engine
from backend.db.faults import as_tunedeck_error
from tunedeck.errors import Unavailable


class Database:
    """An engine and its sessions. Thread-safe; one per process."""

    def __init__(self, url: str) -> None:
        self.engine = open_engine(url)
        self._reading_engine = self.engine
        if self.engine.dialect.name == "postgresql":
            # Not for writers: they have to see what was committed while they waited for their turn.
            one_snapshot = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
            self._reading_engine = self.engine.execution_options(**one_snapshot)
        self._writing_engine = self.engine.execution_options(writes=True)
        # The threads of a process queue here and not in the database: SQLite lets those who wait sleep up to 100 ms
        # between two looks, and each would hold a connection meanwhile.
        self._turn = threading.Lock()

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A session that sees one consistent snapshot. What it changes is thrown away."""
        with _translated(), Session(self._reading_engine, autoflush=False, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """A session that commits once, when the block ends well, and rolls back when it raises."""
        engine = self._writing_engine
        with self._having_turn(), _translated(), Session(engine, expire_on_commit=False) as session, session.begin():
            yield session

    @contextmanager
    def connecting(self) -> Iterator[Connection]:
        """A bare connection in a writing transaction: for migrations only, which may think for as long as they need."""
        with self._having_turn(), _translated(), self._writing_engine.begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = 0")
            yield connection

    def check(self) -> None:
        """Raise Unavailable unless the database answers."""
        with self.reading() as session:
            session.execute(text("SELECT 1"))

    def close(self) -> None:
        self.engine.dispose()

    @contextmanager
    def _having_turn(self) -> Iterator[None]:
        if not self._turn.acquire(timeout=BUSY_TIMEOUT_S):
            raise Unavailable(f"others have been writing for {BUSY_TIMEOUT_S} s", "try again in a moment")
        try:
            yield
        finally:
            self._turn.release()


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except SQLAlchemyError as fault:
        translated = as_tunedeck_error(fault)
        if translated is None:
            raise
        raise translated from fault
