"""A data set of the hub, over REST, from a stand-in for the hub."""

from __future__ import annotations

from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from tests.support.backend import write_dataset
from tests.support.hub import serving
from tests.support.waiting import wait_for
from tunedeck.settings import Settings

pytestmark = pytest.mark.any_database
DATASETS = "/api/v1/datasets"


def test_what_is_fetched_to_be_looked_into_is_added_without_asking_the_hub_again(
    client: TestClient, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("datasets")
    write_dataset(tmp_path / "hub" / "someone" / "chats" / "train.jsonl", num_rows=50)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    asked = {"hub": {"id": "someone/chats"}}
    with serving(tmp_path / "hub") as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        report = _finished(client, f"{DATASETS}/check", asked)
    assert (report["num_rows"], report["shape"], report["format"]) == (50, "messages", "parquet")
    _finished(client, DATASETS, {"name": "chats", **asked})
    found = client.get(f"{DATASETS}/chats").json()
    assert (found["source"], found["origin"], found["num_rows"]) == ("hub", "someone/chats", 50)
    rows = client.get(f"{DATASETS}/chats/rows", params={"first": 50}).json()["rows"]
    assert rows[0]["messages"][1]["content"] == "50"
    assert [file.name for file in settings.uploads_dir.rglob("*") if file.is_file()] == []


def _finished(client: TestClient, call: str, body: dict[str, object]) -> dict[str, object]:
    work = client.post(call, json=body).json()
    address = f"/api/v1/works/{work['id']}"
    wait_for(lambda: client.get(address).json()["ended_at"], "the work")
    ended = client.get(address).json()
    assert ended["state"] == "succeeded", ended["fault"]
    result: dict[str, object] = ended["result"]
    return result
