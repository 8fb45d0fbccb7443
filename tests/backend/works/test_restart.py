"""What a restart of the backend does to long work: it takes longer, and nothing else."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from backend.accounts.token_file import FIRST_TOKEN
from backend.app import create_app
from backend.http.services import Services
from backend.works.folder import WorkFolder
from backend.works.work import Stopped, Work
from backend.works.works import Kinds, Works
from tests.backend.conftest import ADDRESS
from tests.support.backend import write_dataset
from tests.support.waiting import wait_for
from tunedeck.errors import DatasetInvalid, TunedeckError
from tunedeck.settings import Settings
from tunedeck.views.datasets import RegisterDataset

pytestmark = pytest.mark.any_database
REQUEST = {"path": "chats.jsonl"}


@contextmanager
def backend(settings: Settings) -> Iterator[tuple[TestClient, Services]]:
    with TestClient(create_app(settings), base_url=ADDRESS) as client:
        client.headers["Authorization"] = f"Bearer {settings.token_file.read_text().strip()}"
        yield client, client.app.state.services  # type: ignore[attr-defined]


@contextmanager
def works(folder: Path, kinds: Kinds) -> Iterator[Works]:
    made = Works(WorkFolder(folder))
    made.take_up(kinds)
    yield made
    made.close()


def a_work() -> Work:
    return Work("me", "check", "chats.jsonl", REQUEST)


def until_it_must_stop(work: Work) -> Any:
    wait_for(lambda: work.is_stopping or work.is_interrupted, "the end")
    raise Stopped


def test_a_registration_goes_on_under_its_id_in_the_next_backend(settings: Settings) -> None:
    with backend(settings) as (_, services):
        write_dataset(settings.datasets_dir / "large.jsonl", num_rows=15_000)
        work = services.registry.register(FIRST_TOKEN, RegisterDataset(name="large", path="large.jsonl"))
        assert isinstance(work, Work)
    assert work.ended_at is None
    address = f"/api/v1/works/{work.id}"
    with backend(settings) as (client, _):
        wait_for(lambda: client.get(address).json()["ended_at"], "the work")
        ended = client.get(address).json()
        assert (ended["state"], ended["result"]["num_rows"]) == ("succeeded", 15_000)
        assert client.get("/api/v1/datasets/large").json() == ended["result"]
    with backend(settings) as (client, _):
        assert client.get(address).json() == ended


def test_what_was_cancelled_is_not_begun_again(tmp_path: Path) -> None:
    with works(tmp_path, {"check": until_it_must_stop}) as first:
        work = first.start(a_work())
        wait_for(lambda: work.is_running, "the start")
        first.cancel("me", work.id)
    begun = threading.Event()
    with works(tmp_path, {"check": lambda _: begun.set()}) as second:
        assert second.get("me", work.id).state == "cancelled"
    assert not begun.is_set()


def test_why_a_work_failed_is_still_told(tmp_path: Path) -> None:
    def fail(_: Work) -> Any:
        raise DatasetInvalid.at("path", "chats.jsonl", "chats.jsonl: is a zip archive", "unpack it")

    with works(tmp_path, {"check": fail}) as first:
        work = first.start(a_work())
        assert first.wait(work, 30)
        told = work.view()
    with works(tmp_path, {}) as second:
        assert second.get("me", work.id).view() == told
        assert told.fault is not None and told.fault["problems"][0]["mend"] == "unpack it"


def test_a_work_that_takes_the_server_with_it_is_given_up_in_the_end(tmp_path: Path) -> None:
    work = a_work()
    for _ in range(3):
        with works(tmp_path, {"check": until_it_must_stop}) as mortal:
            if not mortal.all("me"):
                mortal.start(work)
            wait_for(lambda: mortal.all("me")[0].is_running, "the start")
    with works(tmp_path, {"check": until_it_must_stop}) as last:
        ended = last.get("me", work.id)
        assert ended.state == "failed"
        assert isinstance(ended.fault, TunedeckError) and "begun 3 times" in ended.fault.message


def test_half_a_file_is_forgotten_and_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "cr7gsph32rvq632bcwc7.json").write_text('{"id": "cr7')
    with caplog.at_level(logging.WARNING), works(tmp_path, {}) as made:
        assert made.all("me") == ()
    assert "cannot be read" in caplog.text
    assert not any(tmp_path.iterdir())
