"""Registering data sets, their versions and their trash."""

from __future__ import annotations

import gzip
import json
import os
import time
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from backend.datasets import service, trash
from tests.support.backend import SPEC, conversation, write_dataset
from tests.support.uploads import upload
from tunedeck.errors import NotFound
from tunedeck.settings import Settings

DATASETS = "/api/v1/datasets"
GOOD = "".join(json.dumps(conversation(str(number))) + "\n" for number in range(3)).encode()


def _files(settings: Settings) -> list[str]:
    return sorted(str(path.relative_to(settings.datasets_dir)) for path in settings.datasets_dir.rglob("*"))


def test_a_file_is_registered_where_it_lies(client: TestClient, settings: Settings) -> None:
    file = write_dataset(settings.datasets_dir / "chats.jsonl", num_rows=7)
    answer = client.post(DATASETS, json={"name": "chats", "path": "chats.jsonl"})
    assert answer.status_code == 201, answer.text
    view = answer.json()
    assert (view["shape"], view["num_rows"], view["num_trainable_rows"]) == ("messages", 7, 7)
    assert (view["path"], view["size_bytes"]) == (str(file.resolve()), file.stat().st_size)
    assert client.get(f"{DATASETS}/chats").json() == view
    assert client.get(DATASETS).json()["items"] == [view]


@pytest.mark.parametrize("path", ["/etc/passwd", "../token"])
def test_a_path_outside_the_roots_is_refused(client: TestClient, path: str) -> None:
    answer = client.post(DATASETS, json={"name": "a", "path": path})
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "path_refused")


def test_a_missing_file_and_one_without_an_assistant_turn_are_refused(client: TestClient, settings: Settings) -> None:
    settings.datasets_dir.mkdir(parents=True, exist_ok=True)
    (settings.datasets_dir / "mute.jsonl").write_text(json.dumps({"messages": [{"role": "user", "content": "hi"}]}))
    for path in ("none.jsonl", "mute.jsonl"):
        error = client.post(DATASETS, json={"name": "a", "path": path}).json()["error"]
        assert (error["code"], path in error["message"]) == ("dataset_invalid", True)
    assert client.get(DATASETS).json()["items"] == []


def test_half_a_surrogate_pair_in_the_sample_does_not_break_the_list(client: TestClient, settings: Settings) -> None:
    file = settings.datasets_dir / "odd.jsonl"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(conversation("\ud83d")) + "\n")
    registered = client.post(DATASETS, json={"name": "odd", "path": "odd.jsonl"})
    assert registered.status_code in (201, 422)
    assert client.get(DATASETS).status_code == 200


def test_an_upload_becomes_a_file_and_a_version_and_is_gone(client: TestClient, settings: Settings) -> None:
    answer = client.post(DATASETS, json={"name": "up", "upload": upload(client, GOOD)})
    assert answer.status_code == 201, answer.text
    view = answer.json()
    assert Path(view["path"]).read_bytes() == GOOD
    assert _files(settings) == [Path(view["path"]).name]
    assert (view["source"], view["origin"], view["num_rows"]) == ("upload", "chats.jsonl", 3)
    assert client.get("/api/v1/uploads").json()["items"] == []


def test_a_bad_upload_is_named_as_the_user_named_it_and_kept_for_another_try(
    client: TestClient, settings: Settings
) -> None:
    upload_id = upload(client, GOOD + b"{broken\n", file_name="../mine.jsonl")
    answer = client.post(DATASETS, json={"name": "up", "upload": upload_id})
    assert answer.status_code == 422
    error = answer.json()["error"]
    assert error["code"] == "dataset_invalid" and "mine.jsonl" in error["message"]
    assert (error["problems"][0]["field"], error["problems"][0]["value"]) == ("upload", "mine.jsonl")
    assert client.get(DATASETS).json()["items"] == [] and _files(settings) == []
    assert [each["id"] for each in client.get("/api/v1/uploads").json()["items"]] == [upload_id]


def test_a_wrong_checksum_of_the_whole_file_stores_nothing(client: TestClient) -> None:
    asked = {"name": "up", "upload": upload(client, GOOD), "sha256": "0" * 64}
    answer = client.post(DATASETS, json=asked)
    assert (answer.status_code, answer.json()["error"]["code"]) == (460, "checksum_mismatch")
    assert client.get(DATASETS).json()["items"] == []


@pytest.mark.parametrize("source", [{}, {"path": "a.jsonl", "upload": "b"}])
def test_exactly_one_source_is_asked_for(client: TestClient, source: dict[str, str]) -> None:
    answer = client.post(DATASETS, json={"name": "a", **source})
    assert answer.status_code == 422
    assert "one of path, upload and hub" in answer.json()["error"]["message"]


def test_a_large_file_is_checked_in_a_process_of_its_own_and_found_among_the_works(
    client: TestClient, settings: Settings
) -> None:
    write_dataset(settings.datasets_dir / "large.jsonl", num_rows=15_000)
    answer = client.post(DATASETS, json={"name": "large", "path": "large.jsonl"})
    while answer.status_code == 202 or answer.json().get("state") in ("waiting", "running"):
        time.sleep(0.1)
        answer = client.get(f"/api/v1/works/{answer.json()['id']}")
    assert client.get(f"{DATASETS}/large").json()["num_rows"] == 15_000
    works = client.get("/api/v1/works").json()["items"]
    assert [(work["kind"], work["title"], work["state"]) for work in works] == [("registration", "large", "succeeded")]


def test_a_name_that_is_taken_gets_a_version_only_when_that_is_asked_for(
    stocked: TestClient, settings: Settings
) -> None:
    write_dataset(settings.datasets_dir / "more.jsonl", num_rows=50)
    asked = {"name": "chats", "path": "more.jsonl"}
    assert stocked.post(DATASETS, json=asked).status_code == 409
    assert stocked.post(DATASETS, json={**asked, "new_version": True}).json()["version"] == 2
    assert [each["num_rows"] for each in stocked.get(f"{DATASETS}/chats/versions").json()["items"]] == [50, 40]
    assert stocked.get(f"{DATASETS}/chats").json()["num_rows"] == 50
    assert stocked.get(f"{DATASETS}/chats", params={"version": 1}).json()["num_rows"] == 40
    assert stocked.get(f"{DATASETS}/chats", params={"version": 3}).status_code == 404
    assert stocked.post(DATASETS, json={**asked, "name": "none", "new_version": True}).status_code == 404


def test_a_job_records_version_and_content_of_its_data(stocked: TestClient, settings: Settings) -> None:
    write_dataset(settings.datasets_dir / "more.jsonl", num_rows=50)
    stocked.post(DATASETS, json={"name": "chats", "path": "more.jsonl", "new_version": True})
    for number, asked in ((2, {}), (1, {"data": {"dataset_version": 1}})):
        trained = stocked.post("/api/v1/jobs", json=SPEC | asked).json()["resolved"]["data"]
        version = stocked.get(f"{DATASETS}/chats", params={"version": number}).json()
        assert trained["version"] == number
        assert trained["content_sha256"] == version["content_sha256"]
    refused = stocked.post("/api/v1/jobs", json=SPEC | {"data": {"dataset_version": 7}}).json()["error"]
    assert refused["problems"][0]["field"] == "data.dataset_version"


def test_what_a_job_needs_is_not_deleted_and_the_job_is_named(stocked: TestClient) -> None:
    job_id = stocked.post("/api/v1/jobs", json=SPEC).json()["id"]
    answer = stocked.delete(f"{DATASETS}/chats")
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "dataset_in_use")
    assert f"first ({job_id}, queued)" in answer.json()["error"]["message"]
    stocked.post(f"/api/v1/jobs/{job_id}/cancel")
    assert stocked.delete(f"{DATASETS}/chats").status_code == 200


def test_the_trash_keeps_the_name_and_gives_back(stocked: TestClient) -> None:
    assert stocked.delete(f"{DATASETS}/chats").json()["trashed_at"] is not None
    assert stocked.get(DATASETS).json()["items"] == []
    assert [each["name"] for each in stocked.get(DATASETS, params={"trashed": True}).json()["items"]] == ["chats"]
    assert stocked.post(DATASETS, json={"name": "chats", "path": "chats.jsonl"}).status_code == 409
    assert stocked.post("/api/v1/jobs", json=SPEC).json()["error"]["problems"][0]["field"] == "dataset"
    assert stocked.post(f"{DATASETS}/chats/restore").json()["trashed_at"] is None
    assert stocked.post("/api/v1/jobs", json=SPEC).status_code == 201


def test_after_its_time_in_the_trash_a_data_set_is_gone_with_the_files_that_are_ours(
    stocked: TestClient, settings: Settings
) -> None:
    database = stocked.app.state.services.database  # type: ignore[attr-defined]
    stocked.post(DATASETS, json={"name": "up", "upload": upload(stocked, GOOD)})
    for name in ("up", "chats"):
        stocked.delete(f"{DATASETS}/{name}")
    trash.purge(database, time.time() - 3600)
    assert service.get(database, "first", "up").trashed_at is not None
    trash.purge(database, time.time() + 1)
    with pytest.raises(NotFound):
        service.get(database, "first", "up")
    assert _files(settings) == ["chats.jsonl"]


def test_an_uploaded_file_that_another_data_set_reads_outlives_its_own(client: TestClient, settings: Settings) -> None:
    path = client.post(DATASETS, json={"name": "up", "upload": upload(client, GOOD)}).json()["path"]
    client.post(DATASETS, json={"name": "other", "path": path})
    for name, left in (("up", 1), ("other", 1)):
        client.delete(f"{DATASETS}/{name}")
        assert client.delete(f"{DATASETS}/{name}", params={"for_good": True}).status_code == 200
        assert len(_files(settings)) == left


def test_what_is_not_in_the_trash_is_not_deleted_for_good(stocked: TestClient) -> None:
    assert stocked.delete(f"{DATASETS}/chats", params={"for_good": True}).status_code == 409
    assert stocked.get(f"{DATASETS}/chats").status_code == 200


def test_a_fifo_and_a_folder_are_refused_and_the_service_answers_on(client: TestClient, settings: Settings) -> None:
    settings.datasets_dir.mkdir(parents=True, exist_ok=True)
    os.mkfifo(settings.datasets_dir / "pipe.jsonl")
    (settings.datasets_dir / "folder.jsonl").mkdir()
    for name in ("pipe.jsonl", "folder.jsonl"):
        answer = client.post(DATASETS, json={"name": "a", "path": name})
        assert (answer.status_code, answer.json()["error"]["code"]) == (422, "dataset_invalid")
    assert client.get(DATASETS).status_code == 200


def test_bad_files_are_refused_beside_the_service_and_it_answers_on(client: TestClient) -> None:
    bomb = gzip.compress(b" " * (64 << 20))
    for file_name, content, words in (
        ("bomb.jsonl.gz", bomb, "empty"),
        ("footer.parquet", b"PAR1" + b"x" * 1000 + b"PAR1", "not a whole Parquet file"),
        ("wide.json", '[{"messages": []}]'.encode("utf-16"), "UTF-16"),
    ):
        asked = {"upload": upload(client, content, file_name)}
        answer = client.post(f"{DATASETS}/check", json=asked)
        while answer.status_code == 202:  # joins the check that is under way
            answer = client.post(f"{DATASETS}/check", json=asked)
        assert (answer.status_code, answer.json()["error"]["code"]) == (422, "dataset_invalid"), answer.text
        assert words in answer.json()["error"]["message"]
        assert answer.json()["error"]["problems"][0]["field"] == "upload"
    assert client.get(DATASETS).json()["items"] == []
