"""The child that answers pages lives as long as somebody looks, whoever asked first."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from backend.previews import preview as module
from backend.previews.preview import Preview
from tests.support.backend import write_dataset
from tests.support.waiting import wait_for


@pytest.fixture
def preview() -> Iterator[Preview]:
    made = Preview()
    yield made
    made.close()


def _ask(preview: Preview, path: Path) -> None:
    told = {"path": str(path), "reading": {}, "shape": "messages", "format": "jsonl", "compression": "none"}
    answer = preview.ask("rows", file=told | {"num_rows": 40}, first=1, limit=1)
    assert [row["row"] for row in answer["rows"]] == [1]


def test_the_child_outlives_the_thread_that_asked_first_and_a_kill_costs_one_question(
    preview: Preview, tmp_path: Path
) -> None:
    path = write_dataset(tmp_path / "chats.jsonl")
    first = threading.Thread(target=_ask, args=(preview, path))
    first.start()
    first.join()
    child = preview._child
    assert child is not None and child.is_alive
    _ask(preview, path)
    assert preview._child is child
    child.kill()
    wait_for(lambda: not child.is_alive, "the end of the child")
    _ask(preview, path)
    assert preview._child is not child


def test_the_child_ends_when_nobody_asks(preview: Preview, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _ask(preview, write_dataset(tmp_path / "chats.jsonl"))
    preview.rest()
    assert preview._child is not None
    monkeypatch.setattr(module, "IDLE_S", 0.0)
    preview.rest()
    assert preview._child is None
