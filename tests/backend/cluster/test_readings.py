"""What hosts read off their devices, from the bus to whoever looks, on every backend."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

import pytest
import redis
from fastapi.testclient import TestClient

from backend.bus import connect
from backend.cluster.readings import Readings
from backend.db.database import Database
from backend.feed.hub import Hub, Topics
from backend.feed.stream import FROM_NOW_ON, FeedResponse
from tests.backend.feed.conftest import Client
from tests.support.readings import reading, say
from tests.support.valkey import ValkeyServer
from tunedeck.readings import READINGS_KEPT_S, READINGS_STREAM

pytestmark = pytest.mark.any_database
NOW = time.time()


@pytest.fixture
def bus(valkey: ValkeyServer) -> Iterator[redis.Redis]:
    client = connect(valkey.url)
    yield client
    client.close()


def test_two_backends_show_the_same_also_one_that_started_later(bus: redis.Redis) -> None:
    first = Readings(bus, Hub())
    say(bus, reading("a", 2, busy=0.5), NOW - 1)
    first.round()
    say(bus, reading("a", 2, busy=0.9, gpu1="job000001"), NOW)
    first.round()
    late = Readings(bus, Hub())
    late.round()
    shown = first.of_host("a")
    assert late.of_host("a") == shown
    assert [gpu.utilization for gpu in shown.devices] == [(0.5, 0.9), (0.49, 0.89)]
    assert [gpu.job_id for gpu in shown.devices] == ["", "job000001"]
    assert shown.times[0] < shown.times[1]


def test_what_is_older_than_ten_minutes_is_forgotten_here_and_on_the_bus(bus: redis.Redis) -> None:
    readings = Readings(bus, Hub())
    for host, age_s in (("gone", READINGS_KEPT_S + 60), ("a", READINGS_KEPT_S + 30), ("a", 30.0), ("a", 0.0)):
        say(bus, reading(host, 1), NOW - age_s)
    readings.round()
    assert [round(NOW - at) for at in readings.of_host("a").times] == [30, 0]
    assert readings.of_host("gone").times == ()
    # The bus trims whole blocks, so what it forgets is asked for exactly.
    bus.xtrim(READINGS_STREAM, minid=str(int((NOW - READINGS_KEPT_S) * 1000)), approximate=False)
    assert bus.xlen(READINGS_STREAM) == 2


def test_a_device_that_is_not_told_of_leaves_a_gap_and_no_zero(bus: redis.Redis) -> None:
    readings = Readings(bus, Hub())
    whole = reading("a", 2)
    lost = whole.devices[1]._replace(utilization=None)
    for told in (whole, whole.model_copy(update={"devices": (whole.devices[0],)})):
        say(bus, told)
    say(bus, whole.model_copy(update={"devices": (whole.devices[0], lost)}))
    readings.round()
    assert readings.of_host("a").devices[1].utilization == (0.96, None, None)
    assert readings.of_host("a").devices[1].memory_bytes == (70 << 30, None, 70 << 30)


def test_a_bus_that_lost_everything_and_whose_clock_is_behind_is_followed(bus: redis.Redis) -> None:
    readings = Readings(bus, Hub())
    say(bus, reading("a", 1), NOW)
    readings.round()
    bus.flushall()
    say(bus, reading("a", 1, busy=0.1), NOW - 3600)
    for _ in range(2):
        readings.round()
    assert readings.of_host("a").devices[0].utilization == (0.1,)


def test_what_is_no_reading_is_left_out(bus: redis.Redis, caplog: pytest.LogCaptureFixture) -> None:
    readings = Readings(bus, Hub())
    bus.xadd(READINGS_STREAM, {"m": '{"host": "a", "processor": 7}'})
    bus.xadd(READINGS_STREAM, {"n": "?"})
    say(bus, reading("a", 1))
    readings.round()
    assert len(readings.of_host("a").times) == 1
    assert caplog.text.count("is none of ours") == 2


def test_they_are_pushed_to_those_who_ask_and_to_nobody_else(bus: redis.Redis, database: Database) -> None:
    hub = Hub()
    readings = Readings(bus, hub)

    async def listen() -> None:
        asking = Client(FeedResponse(database, hub, Topics(readings=True), FROM_NOW_ON))
        others = Client(FeedResponse(database, hub, Topics(), FROM_NOW_ON))
        for client in (asking, others):
            await client.until_heard(1)
        for _ in range(2):
            say(bus, reading("a", 8))
            await asyncio.to_thread(readings.round)
        await asking.until_heard(3)
        told = [each.data["readings"] for each in asking.heard if each.event == "readings"]
        assert [[(one["host"], len(one["devices"])) for one in each] for each in told] == [[("a", 8)]] * 2
        assert told[0][0]["devices"][0] == [0, "", 0.97, 71 << 30, 600.0, 700.0, 60.0]
        assert [each.event for each in others.heard] == ["hello"]
        for client in (asking, others):
            await client.leave()

    asyncio.run(listen())


def test_the_readings_of_an_unknown_host_are_not_found(stocked: TestClient) -> None:
    assert stocked.get("/api/v1/hosts/box/readings").json()["times"] == []
    assert stocked.get("/api/v1/hosts/nowhere/readings").json()["error"]["code"] == "not_found"
