"""The schema that migrations make is the one that the tables describe."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect

from backend.datasets import service
from backend.db.database import Database
from backend.db.migrate import downgrade, migrate
from backend.db.tables import Base


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{tmp_path}/a.db")
    yield database
    database.close()


def _tables(database: Database) -> set[str]:
    return set(inspect(database.engine).get_table_names())


def test_head_equals_the_tables(empty: Database) -> None:
    migrate(empty)
    with empty.connecting() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_up_down_and_up_again(empty: Database) -> None:
    migrate(empty)
    downgrade(empty, "base")
    assert _tables(empty) == {"alembic_version"}
    migrate(empty)
    assert _tables(empty) == {"alembic_version", *Base.metadata.tables}


def test_a_second_migration_changes_nothing(empty: Database) -> None:
    migrate(empty)
    migrate(empty)
    assert _tables(empty) == {"alembic_version", *Base.metadata.tables}


def test_two_backends_that_start_at_once_both_find_the_schema(tmp_path: Path) -> None:
    databases = [Database(f"sqlite:///{tmp_path}/a.db") for _ in range(2)]
    failures: list[BaseException] = []

    def start(database: Database) -> None:
        try:
            migrate(database)
        except BaseException as failure:
            failures.append(failure)

    threads = [Thread(target=start, args=(database,)) for database in databases]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert _tables(databases[0]) == {"alembic_version", *Base.metadata.tables}
    for database in databases:
        database.close()


def test_a_migration_that_fails_leaves_nothing_behind(empty: Database, tmp_path: Path) -> None:
    # `jobs` is in the way: the migration has made two tables before it comes to it
    with sqlite3.connect(tmp_path / "a.db") as connection:
        connection.execute("CREATE TABLE jobs (id TEXT)")
    with pytest.raises(Exception, match="jobs"):
        migrate(empty)
    assert _tables(empty) == {"jobs"}


def test_data_sets_of_before_become_first_versions_and_find_the_way_back(empty: Database, tmp_path: Path) -> None:
    migrate(empty, "0001")
    with sqlite3.connect(tmp_path / "a.db") as connection:
        columns = "id, name, path, shape, num_rows, num_trainable_rows, size_bytes, content_sha256, sample, created_at"
        values = "'d1', 'chats', '/a.jsonl', 'messages', 3, 2, 70, 'abc', '[{\"messages\": []}]', 1.5"
        connection.execute(f"INSERT INTO datasets ({columns}) VALUES ({values})")
        before = connection.execute(f"SELECT {columns} FROM datasets").fetchall()
        job = "'j1', 'job', 'queued', 'run', 'tiny', 'chats', '{}', '{}', 0, 1.0, '', '{}', 0, 9, '{}'"
        known = "id, name, state, desired, model, dataset, spec, resolved, attempt, created_at, phase, facts, step"
        connection.execute(f"INSERT INTO jobs ({known}, train_iters, latest) VALUES ({job})")
        change = "1, 'j1', 1.0, '', 'queued', 'user', 'submitted'"
        connection.execute(f"INSERT INTO transitions VALUES ({change})")
    migrate(empty)
    view = service.get(empty, "first", "chats")
    assert (view.version, view.source, view.path, view.num_trainable_rows) == (1, "path", "/a.jsonl", 2)
    assert view.report is None
    with sqlite3.connect(tmp_path / "a.db") as connection:
        assert connection.execute("SELECT dataset_id FROM jobs").fetchall() == [("d1",)]
        assert connection.execute("SELECT count(*) FROM transitions").fetchall() == [(1,)]
    downgrade(empty, "0001")
    with sqlite3.connect(tmp_path / "a.db") as connection:
        assert connection.execute(f"SELECT {columns} FROM datasets").fetchall() == before
        assert connection.execute("SELECT count(*) FROM transitions").fetchall() == [(1,)]
