"""A model, a data set and a host: what a backend needs before it takes a job."""

from __future__ import annotations

import time

from backend.db.database import Database
from backend.db.tables.hosts import HostRow
from bench.queue.service import Service
from tests.support.backend import add_host, write_dataset, write_model

HOST = "box"
AN_HOUR_S = 3600.0


def stock(made: Service, is_drained: bool) -> None:
    """May be called again. A drained host takes part in resolving a spec, and nothing is placed on it."""
    database = Database(made.settings.resolved_database_url())
    with database.writing() as session:
        if session.get(HostRow, HOST) is None:
            add_host(session, time.time(), name=HOST)
        host = session.get_one(HostRow, HOST)
        host.last_seen_at = time.time() + (AN_HOUR_S if is_drained else 0.0)
        host.drained_at = time.time() if is_drained else None
    database.close()
    write_model(made.settings.models_dir / "tiny")
    write_dataset(made.settings.datasets_dir / "chats.jsonl")
    with made.client() as client:
        if not client.get("/models/tiny").is_success:
            client.post("/models", json={"name": "tiny", "path": "tiny"}).raise_for_status()
            client.post("/datasets", json={"name": "chats", "path": "chats.jsonl"}).raise_for_status()
