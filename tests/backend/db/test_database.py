"""Sessions on each database: one writer, snapshots, and what a failing database is called."""

from __future__ import annotations

import threading
import time

import pytest
from sqlalchemy import select, text

from backend.db import engine
from backend.db.database import Database
from backend.db.tables.accounts import TokenRow
from backend.db.tables.events import EventRow
from backend.db.tables.leaders import LeaderRow
from backend.feed import queries
from tests.support.jobs import add_job
from tunedeck.errors import DiskFull, Unavailable
from tunedeck.settings import Settings


@pytest.mark.sqlite_only
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
    monkeypatch.setattr(engine, "BUSY_TIMEOUT_S", 0.05)
    ours, theirs = (Database(settings.resolved_database_url()) for _ in range(2))
    with theirs.writing() as writer:
        writer.execute(text("SELECT 1"))
        with pytest.raises(Unavailable, match="lock"), ours.writing() as session:
            session.execute(text("SELECT 1"))
    ours.check()
    for database in (ours, theirs):
        database.close()


def test_whoever_has_seen_an_id_of_the_feed_has_missed_none_before_it(database: Database, settings: Settings) -> None:
    num_events, now = 40, time.time()
    with database.writing() as session:
        job_id = add_job(session, now).id
        before = queries.newest_id(session)
    backends = [Database(settings.resolved_database_url()) for _ in range(2)]

    def write(backend: Database) -> None:
        for _ in range(num_events):
            with backend.writing() as session:
                session.add(EventRow(job_id=job_id, attempt=1, seq=None, kind="job", step=0, t=now, payload={}))
                session.flush()
                time.sleep(0.0005)

    # two threads for each backend, and a pump that asks as ours does
    threads = [threading.Thread(target=write, args=(backend,)) for backend in backends * 2]
    for thread in threads:
        thread.start()
    seen: list[int] = []
    while len(seen) < num_events * len(threads):
        was_over = not any(thread.is_alive() for thread in threads)
        with database.reading() as session:
            seen += [row.id for row in queries.events_after(session, max(seen, default=before), 1_000, frozenset())]
        assert len(seen) == num_events * len(threads) or not was_over, "an event was committed behind the reader's back"
    for backend in backends:
        backend.close()


@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
def test_a_backend_that_is_suspended_amid_a_transaction_holds_up_the_others_only_for_a_while(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "IDLE_TRANSACTION_TIMEOUT_S", 0.2)
    suspended, other = (Database(settings.resolved_database_url()) for _ in range(2))
    with pytest.raises(Unavailable), suspended.writing() as session:
        session.add(LeaderRow(role="scheduler", holder="suspended", expires_at=1.0))
        session.flush()
        with other.writing() as next_one:
            next_one.add(LeaderRow(role="scheduler", holder="other", expires_at=1.0))
    with other.reading() as session:
        assert session.scalars(select(LeaderRow.holder)).all() == ["other"]
    for database in (suspended, other):
        database.close()


def test_text_with_a_nul_is_stored_and_can_be_asked_for(database: Database) -> None:
    with database.writing() as session:
        session.add(LeaderRow(role="odd", holder="a\0b", expires_at=1.0))
    with database.reading() as session:
        found = session.scalars(select(LeaderRow.holder).where(LeaderRow.holder == "a\0b")).one()
    assert found in ("a\0b", "a\N{REPLACEMENT CHARACTER}b")


@pytest.mark.sqlite_only
def test_a_database_that_cannot_grow_is_a_full_disk(database: Database) -> None:
    with pytest.raises(DiskFull), database.writing() as session:
        pages = session.scalar(text("PRAGMA page_count"))
        session.execute(text(f"PRAGMA max_page_count = {pages}"))
        for number in range(100):
            session.add(
                TokenRow(id=str(number), name=f"{number}" * 30, sha256=f"{number}" * 20, created_at=time.time())
            )
            session.flush()


@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
def test_a_server_whose_disk_is_full_is_a_full_disk(database: Database) -> None:
    with pytest.raises(DiskFull), database.writing() as session:
        session.execute(text("DO $$ BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = '53100'; END $$"))


def test_an_sql_mistake_of_ours_is_not_called_unavailable(database: Database) -> None:
    with pytest.raises(Exception, match=r"no such table|does not exist") as caught, database.reading() as session:
        session.execute(text("SELECT * FROM nowhere"))
    assert not isinstance(caught.value, Unavailable)
