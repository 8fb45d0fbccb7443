"""Brings a database to the newest schema at start, from the `migrations` package: the same in a checkout and a wheel.

Making the tables from the models (`create_all`) was rejected: a database that was never migrated cannot be upgraded.
Alembic is imported only where there is something to do: it is a tenth of what a backend that was killed has to import
before it can take over again.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text

from backend.db.database import Database

if TYPE_CHECKING:
    from alembic.config import Config


def migrate(database: Database, revision: str = "head") -> None:
    """Upgrade to `revision` in one transaction. Two backends that start at once migrate one after the other."""
    if revision == "head" and _revision_of(database) == newest_revision():
        return
    from alembic import command

    with database.connecting() as connection:
        command.upgrade(alembic_config(connection), revision)


def downgrade(database: Database, revision: str) -> None:
    from alembic import command

    with database.connecting() as connection:
        command.downgrade(alembic_config(connection), revision)


def alembic_config(connection: Connection) -> Config:
    """Alembic set up to use the given connection and our scripts; it reads no ini file."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_scripts()).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def newest_revision() -> str:
    """By the names of the scripts, which begin with their revisions."""
    return max(path.name for path in (_scripts() / "versions").glob("[0-9]*.py")).partition("_")[0]


def _revision_of(database: Database) -> str:
    """ "" of a database that was never migrated."""
    with database.reading() as session:
        if not inspect(session.connection()).has_table("alembic_version"):
            return ""
        return session.scalar(text("SELECT version_num FROM alembic_version")) or ""


def _scripts() -> Path:
    # Found, not imported: alembic loads the scripts by path, and env.py runs only inside alembic.
    spec = importlib.util.find_spec("migrations")
    assert spec is not None and spec.origin is not None, "the wheel carries the migrations package"
    return Path(spec.origin).parent
