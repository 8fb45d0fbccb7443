from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.bus import BusServer


@pytest.fixture
def bus_server() -> Iterator[BusServer]:
    server = BusServer()
    server.start()
    yield server
    server.close()
