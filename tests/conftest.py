"""What every room's tests may ask for, and the order in which they run: the files with the longest tests first, so that
no process ends alone with one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.postgres import PostgresServer, running_postgres


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """One server for each process of the suite; a database of one's own costs some 20 ms."""
    with running_postgres() as server:
        yield server


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Stable: within a file, and among the files of each kind, the order stays."""
    long_files = {item.path for item in items if item.get_closest_marker("slow") or item.get_closest_marker("stack")}
    items.sort(key=lambda item: item.path not in long_files)
