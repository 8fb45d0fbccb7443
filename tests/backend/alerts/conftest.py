from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from backend.alerts import service
from backend.alerts.courier import Courier
from backend.db.database import Database
from backend.db.tables.alerts import DeliveryRow
from backend.scheduler.leadership import Leadership
from tunedeck.alerts import Channel, Email, Webhook
from tunedeck.settings import Settings

KEY = "a key of the signature"
NOW = time.time()


@pytest.fixture
def courier(database: Database, tmp_path: Path) -> Callable[[], Courier]:
    """Each call is a backend that has just been started."""
    leadership = Leadership(database, lease_s=600.0)  # a busy machine must not cost it the lead

    def started() -> Courier:
        leadership.renew()
        return Courier(Settings(data_dir=tmp_path, public_url="https://tunedeck.example/"), database, leadership)

    return started


def deliver(courier: Courier) -> None:
    """A round, and the end of what it began."""
    courier.round()
    courier.join(60.0)


def add_webhook(database: Database, url: str, name: str = "ops") -> str:
    return service.put_channel(database, "", Channel(name=name, to=Webhook(url=url, secret=KEY)), NOW).id


def add_email(database: Database, port: int, security: str, **changes: Any) -> str:
    given: dict[str, Any] = {"recipients": ["a@example.org"]}
    given |= {"password": "very-secret-password", "username": "robot", "sender": "tunedeck@example.org"} | changes
    to = Email.model_validate({**given, "host": "127.0.0.1", "port": port, "security": security})
    return service.put_channel(database, "", Channel(name="mail", to=to), NOW).id


def make_due(database: Database) -> None:
    """As if the time of the next try had come."""
    with database.writing() as session:
        for row in session.query(DeliveryRow).where(DeliveryRow.next_try_at.is_not(None)):
            row.next_try_at = 1.0
