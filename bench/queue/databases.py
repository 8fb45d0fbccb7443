"""The two databases as a deployment has them: SQLite in the data folder, PostgreSQL with every commit on the disk."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from tests.support.postgres import TEMPLATE, running_postgres

Kind = Literal["sqlite", "postgresql"]
KINDS: tuple[Kind, ...] = ("postgresql", "sqlite")


@contextmanager
def database_url(kind: Kind, data_dir: Path) -> Iterator[str]:
    """Of a new database."""
    if kind == "sqlite":
        yield f"sqlite:///{data_dir}/tunedeck.db"
        return
    with running_postgres(settings=()) as server, server.database(TEMPLATE) as url:
        yield url
