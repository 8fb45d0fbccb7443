"""Alembic's entry. Given a connection (by the backend) it uses that; from the command line it opens one itself."""

from __future__ import annotations

from alembic import context
from sqlalchemy import Connection

from backend.db.database import Database
from backend.db.tables.base import Base
from tunedeck.settings import Settings


def run(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        render_as_batch=connection.dialect.name == "sqlite",
        # SQLite can roll back DDL; alembic only believes the contrary because of the driver's own BEGIN rules,
        # which backend/db/database.py switches off.
        transactional_ddl=True,
    )
    with context.begin_transaction():
        context.run_migrations()


given = context.config.attributes.get("connection")
if given is not None:
    run(given)
else:
    with Database(Settings().resolved_database_url()).connecting() as own:
        run(own)
