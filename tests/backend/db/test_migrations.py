"""The schema that migrations make is the one that the tables describe, on each database, and there is a way back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from threading import Thread
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text

from backend.datasets import service
from backend.db.database import Database
from backend.db.migrate import alembic_config, downgrade, migrate, newest_revision
from backend.db.tables.base import Base


@pytest.fixture
def empty(empty_url: str) -> Iterator[Database]:
    database = Database(empty_url)
    yield database
    database.close()


def _tables(database: Database) -> set[str]:
    return set(inspect(database.engine).get_table_names())


def _execute(database: Database, statement: str) -> None:
    with database.writing() as session:
        session.execute(text(statement))


def _rows(database: Database, query: str) -> list[tuple[object, ...]]:
    with database.reading() as session:
        return [tuple(row) for row in session.execute(text(query))]


def _described(database: Database) -> dict[str, dict[str, Any]]:
    """All that the database itself says of each table, but for the order of the columns and of the indexes."""
    found = inspect(database.engine)
    return {
        table: {
            "columns": sorted(
                (column | {"type": str(column["type"])} for column in found.get_columns(table)), key=_name
            ),
            "primary key": found.get_pk_constraint(table),
            "foreign keys": sorted(found.get_foreign_keys(table), key=_name),
            "unique": sorted(found.get_unique_constraints(table), key=_name),
            "indexes": sorted(map(_plain, found.get_indexes(table)), key=_name),
            "checks": sorted(found.get_check_constraints(table), key=_name),
        }
        for table in Base.metadata.tables
    }


def _plain(index: Any) -> dict[str, Any]:
    """Its options as text: two expressions are never equal, however alike they are."""
    options = {name: str(value) for name, value in index.get("dialect_options", {}).items()}
    return {**index, "dialect_options": options}


def _name(described: Mapping[str, Any]) -> str:
    return str(described["name"])


def test_head_equals_the_tables(empty: Database) -> None:
    migrate(empty)
    with empty.connecting() as connection:
        # Server defaults are compared below: on SQLite alembic 1.18 takes '' for another default than ''.
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_head_is_what_the_tables_would_make_by_themselves(database: Database, empty: Database) -> None:
    """Beyond what alembic compares: primary keys, defaults and checks."""
    Base.metadata.create_all(empty.engine)
    assert _described(database) == _described(empty)


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


def test_the_newest_migration_is_known_by_its_name(empty: Database) -> None:
    with empty.connecting() as connection:
        scripts = ScriptDirectory.from_config(alembic_config(connection))
    assert scripts.get_heads() == [newest_revision()]


def test_backends_that_start_at_once_all_find_the_schema(empty_url: str) -> None:
    databases = [Database(empty_url) for _ in range(4)]
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


def test_a_migration_that_fails_leaves_nothing_behind(empty: Database) -> None:
    # `jobs` is in the way: the migration has made two tables before it comes to it
    _execute(empty, "CREATE TABLE jobs (id TEXT)")
    with pytest.raises(Exception, match="jobs"):
        migrate(empty)
    assert _tables(empty) == {"jobs"}


def test_data_sets_of_before_become_first_versions_and_find_the_way_back(empty: Database) -> None:
    migrate(empty, "0001")
    columns = "id, name, path, shape, num_rows, num_trainable_rows, size_bytes, content_sha256, created_at"
    values = "'d1', 'chats', '/a.jsonl', 'messages', 3, 2, 70, 'abc', 1.5"
    sample = r"""[{"messages"\: []}]"""
    _execute(empty, f"INSERT INTO datasets ({columns}, sample) VALUES ({values}, '{sample}')")
    before = _rows(empty, f"SELECT {columns} FROM datasets")
    job = "'j1', 'job', 'queued', 'run', 'tiny', 'chats', '{}', '{}', 0, 1.0, '', '{}', 0, 9, '{}'"
    known = "id, name, state, desired, model, dataset, spec, resolved, attempt, created_at, phase, facts, step"
    _execute(empty, f"INSERT INTO jobs ({known}, train_iters, latest) VALUES ({job})")
    change = "1, 'j1', 1.0, '', 'queued', 'user', 'submitted'"
    _execute(empty, f"INSERT INTO transitions VALUES ({change})")
    migrate(empty)
    view = service.get(empty, "first", "chats")
    assert (view.version, view.source, view.path, view.num_trainable_rows) == (1, "path", "/a.jsonl", 2)
    assert view.report is None
    assert _rows(empty, "SELECT dataset_id FROM jobs") == [("d1",)]
    assert _rows(empty, "SELECT count(*) FROM transitions") == [(1,)]
    downgrade(empty, "0001")
    assert _rows(empty, f"SELECT {columns} FROM datasets") == before
    assert _rows(empty, "SELECT count(*) FROM transitions") == [(1,)]
