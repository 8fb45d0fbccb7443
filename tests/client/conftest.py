from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.client.service import StandIn, stand_in
from tunedeck.client import Client


@pytest.fixture
def service() -> Iterator[StandIn]:
    with stand_in() as service:
        yield service


@pytest.fixture
def client(service: StandIn) -> Iterator[Client]:
    with Client(service.url, "secret") as client:
        yield client
