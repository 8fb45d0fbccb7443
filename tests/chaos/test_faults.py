"""The faults that between them touch every process, once each. `make chaos` tries all, many times, and measures."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.chaos.faults import FAULTS
from tests.chaos.service import Service, running_service
from tests.chaos.trial import run

SHORT = (
    "kill -9 worker",
    "kill -9 supervisor",
    "kill -9 backend",
    "Valkey loses all data",
    "clock jumps an hour ahead",
    "messages are doubled",
    "torn last line",
)

pytestmark = [pytest.mark.stack, pytest.mark.slow]


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with running_service() as running:
        yield running


@pytest.mark.parametrize("name", SHORT)
def test_nothing_is_lost_doubled_or_left_behind(service: Service, name: str) -> None:
    assert run(service, FAULTS[name]).findings.broken == ()
