"""Sessions on a real SQLite file: locks, snapshots, and what a failing database is called."""

from __future__ import annotations

import sqlite3
import threading
import time

import pytest
from sqlalchemy import select, text

from backend.db import database as module
from backend.db.database import Database
from backend.db.tables import LeaderRow, TokenRow
from tunedeck.errors import DiskFull, Unavailable
from tunedeck.settings import Settings


def test_connections_use_wal_and_check_foreign_keys(database: Database) -> None:
    with database.reading() as session:
        pragmas = {
            name: session.scalar(text(f"PRAGMA {name}")) for name in ("journal_mode", "foreign_keys", "synchronous")
        }
    assert pragmas == {"journal_mode": "wal", "foreign_keys": 1, "synchronous": 1}


def test_a_writing_session_commits_once_at_its_end_and_rolls_back_on_an_error(database: Database) -> None:
    with database.writing() as session:
        session.add(LeaderRow(role="kept", holder="a", expires_at=1.0))
    with pytest.raises(RuntimeError), database.writing() as session:
        session.add(LeaderRow(role="lost", holder="a", expires_at=1.0))
        session.flush()
        raise RuntimeError
    with database.reading() as session:
        assert session.scalars(select(LeaderRow.role)).all() == ["kept"]


def test_a_reading_session_sees_one_snapshot_and_does_not_wait_for_a_writer(database: Database) -> None:
    with database.reading() as reader:
        assert reader.scalars(select(LeaderRow.role)).all() == []
        with database.writing() as writer:
            writer.add(LeaderRow(role="new", holder="a", expires_at=1.0))
        assert reader.scalars(select(LeaderRow.role)).all() == []


def test_writers_that_read_first_lose_no_update(database: Database) -> None:
    with database.writing() as session:
        session.add(LeaderRow(role="counter", holder="", expires_at=0.0))

    def count() -> None:
        for _ in range(25):
            with database.writing() as session:
                row = session.get_one(LeaderRow, "counter")
                row.expires_at += 1

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.reading() as session:
        assert session.get_one(LeaderRow, "counter").expires_at == 100


def test_a_database_that_stays_locked_is_unavailable(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BUSY_TIMEOUT_S", 0.05)
    settings.data_dir.mkdir()
    database = Database(settings.resolved_database_url())
    other = sqlite3.connect(settings.data_dir / "tunedeck.db", isolation_level=None)
    database.check()
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(Unavailable, match="locked"), database.writing() as session:
        session.execute(text("SELECT 1"))
    other.close()
    database.close()


def test_a_database_that_cannot_grow_is_a_full_disk(database: Database) -> None:
    with pytest.raises(DiskFull), database.writing() as session:
        pages = session.scalar(text("PRAGMA page_count"))
        session.execute(text(f"PRAGMA max_page_count = {pages}"))
        for number in range(100):
            session.add(
                TokenRow(id=str(number), name=f"{number}" * 30, sha256=f"{number}" * 20, created_at=time.time())
            )
            session.flush()


def test_an_sql_mistake_of_ours_is_not_called_unavailable(database: Database) -> None:
    with pytest.raises(Exception, match="no such table") as caught, database.reading() as session:
        session.execute(text("SELECT * FROM nowhere"))
    assert not isinstance(caught.value, Unavailable)
