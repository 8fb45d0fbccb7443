"""Brings a database to the newest schema at start, from the `migrations` package: the same in a checkout and a wheel.

Making the tables from the models (`create_all`) was rejected: a database that was never migrated cannot be upgraded.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection

from backend.db.database import Database


def migrate(database: Database, revision: str = "head") -> None:
    """Upgrade to `revision` in one transaction. Two backends that start at once migrate one after the other."""
    with database.connecting() as connection:
        command.upgrade(alembic_config(connection), revision)


def downgrade(database: Database, revision: str) -> None:
    with database.connecting() as connection:
        command.downgrade(alembic_config(connection), revision)


def alembic_config(connection: Connection) -> Config:
    """Alembic set up to use the given connection and our scripts; it reads no ini file."""
    config = Config()
    config.set_main_option("script_location", str(_scripts()).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def _scripts() -> Path:
    # Found, not imported: alembic loads the scripts by path, and env.py runs only inside alembic.
    spec = importlib.util.find_spec("migrations")
    assert spec is not None and spec.origin is not None, "the wheel carries the migrations package"
    return Path(spec.origin).parent
