"""`python -m bench.queue.bare_route`: what FastAPI can do at best, for comparison: one route with one insert.

The same server settings, the same kind of engine and the same thread pool as the backend; no login, no checks.
"""

from __future__ import annotations

import json
import os
from typing import Any

import uvicorn
from fastapi import FastAPI
from sqlalchemy import text

from backend.db.database import Database
from tunedeck.ids import new_id
from tunedeck.settings import Settings

TABLE = "CREATE TABLE bare_rows (id VARCHAR(32) PRIMARY KEY, spec TEXT NOT NULL)"
NICENESS = 5  # the backend's: on a busy machine all else would be no comparison
INSERT = text("INSERT INTO bare_rows (id, spec) VALUES (:id, :spec)")


def create_app(settings: Settings) -> FastAPI:
    app = FastAPI()
    engine = Database(settings.resolved_database_url()).engine
    writing = engine.execution_options(writes=True) if engine.dialect.name == "sqlite" else engine

    @app.post("/api/v1/jobs", status_code=201)
    def create(body: dict[str, Any]) -> dict[str, str]:
        row = {"id": new_id(), "spec": json.dumps(body)}
        with writing.begin() as connection:
            connection.execute(INSERT, row)
        return {"id": row["id"]}

    @app.get("/api/v1/health")
    def health() -> dict[str, str]:
        return {}

    return app


def main() -> None:
    settings = Settings()
    os.nice(NICENESS)
    app = create_app(settings)
    uvicorn.run(app, port=settings.port, loop="uvloop", http="httptools", access_log=False, log_level="warning")


if __name__ == "__main__":
    main()
