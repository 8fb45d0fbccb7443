"""The embedded bus: a real Valkey under the supervisor."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import redis

from tunedeck.errors import BadInput
from tunedeck.settings import Settings
from tunedeck.up import children
from tunedeck.up.supervisor import Supervisor


def run_with_valkey(data_dir: Path, scenario: Callable[[redis.Redis], Awaitable[None]]) -> None:
    settings = Settings(data_dir=data_dir)
    children.logs_dir(settings).mkdir(parents=True, exist_ok=True)

    async def run() -> None:
        supervisor = Supervisor(print)
        try:
            await supervisor.start(children.valkey(settings, dict(os.environ)))
            with redis.Redis.from_url(settings.resolved_redis_url()) as bus:
                await scenario(bus)
        finally:
            await supervisor.stop()

    asyncio.run(run())


def test_it_listens_on_the_socket_of_the_settings_and_on_no_port(tmp_path: Path) -> None:
    async def scenario(bus: redis.Redis) -> None:
        assert bus.config_get("port") == {"port": "0"}
        assert (tmp_path / "bus" / "valkey.sock").stat().st_mode & 0o777 == 0o700

    run_with_valkey(tmp_path, scenario)


def test_what_was_written_before_a_kill_9_is_there_after_the_restart(tmp_path: Path) -> None:
    async def scenario(bus: redis.Redis) -> None:
        bus.xadd("events", {"m": "last words"})
        first = bus.info("server")["process_id"]
        os.kill(first, 9)
        deadline = time.monotonic() + 30
        while True:
            await asyncio.sleep(0.1)
            try:
                if bus.info("server")["process_id"] != first:
                    break
            except redis.ConnectionError:
                assert time.monotonic() < deadline
        assert [fields for _, fields in bus.xrange("events")] == [{b"m": b"last words"}]

    run_with_valkey(tmp_path, scenario)


def test_another_server_binary_that_does_not_exist_is_refused_at_its_field(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="there is no program no-such-server") as refusal:
        children.valkey(Settings(data_dir=tmp_path, redis_bin="no-such-server"), {})
    assert refusal.value.problems[0].field == "redis_bin"


def test_a_data_folder_too_deep_for_a_unix_socket_is_refused_before_anything_starts(tmp_path: Path) -> None:
    deep = tmp_path / ("x" * 120)
    with pytest.raises(BadInput, match="longer path than the 107 bytes"):
        children.valkey(Settings(data_dir=deep), {})
    assert not deep.exists()
