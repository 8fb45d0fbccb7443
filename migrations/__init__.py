"""Alembic's scripts: how the schema came to be. `backend/db/migrate.py` runs them at start."""
