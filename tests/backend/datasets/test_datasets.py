"""Registering and uploading data sets; after any failure neither a row nor a file is left."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from backend.datasets import service, upload
from tests.support.backend import conversation, write_dataset
from tunedeck.errors import BadInput, TooLarge
from tunedeck.settings import Settings

DATASETS = "/api/v1/datasets"
GOOD = "".join(json.dumps(conversation(str(number))) + "\n" for number in range(3)).encode()


def _upload(client: TestClient, content: bytes = GOOD, name: str = "up", file_name: str = "chats.jsonl") -> Any:
    return client.post(f"{DATASETS}/upload", data={"name": name}, files={"file": (file_name, content)})


def _files(settings: Settings) -> list[str]:
    return sorted(str(path.relative_to(settings.datasets_dir)) for path in settings.datasets_dir.rglob("*"))


def _assert_nothing_is_left(client: TestClient, settings: Settings) -> None:
    assert client.get(DATASETS).json()["items"] == []
    assert _files(settings) == []


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


def test_an_upload_becomes_a_file_and_a_row(client: TestClient, settings: Settings) -> None:
    answer = _upload(client)
    assert answer.status_code == 201, answer.text
    view = answer.json()
    assert Path(view["path"]).read_bytes() == GOOD
    assert _files(settings) == [Path(view["path"]).name]
    assert view["num_rows"] == 3


def test_the_parts_may_come_in_any_order(client: TestClient) -> None:
    body = (
        b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.jsonl"\r\n\r\n' + GOOD + b"\r\n"
        b'--x\r\nContent-Disposition: form-data; name="name"\r\n\r\nlate\r\n--x--\r\n'
    )
    headers = {"content-type": "multipart/form-data; boundary=x"}
    assert client.post(f"{DATASETS}/upload", content=body, headers=headers).json()["name"] == "late"


def test_a_bad_upload_is_named_as_the_user_named_it_and_leaves_nothing(client: TestClient, settings: Settings) -> None:
    answer = _upload(client, GOOD + b"{broken\n", file_name="../mine.jsonl")
    assert answer.status_code == 422
    error = answer.json()["error"]
    assert error["code"] == "dataset_invalid" and "mine.jsonl" in error["message"]
    assert (error["problems"][0]["field"], error["problems"][0]["value"]) == ("file", "mine.jsonl")
    _assert_nothing_is_left(client, settings)


def test_an_upload_under_a_name_that_is_taken_leaves_the_first_as_it_was(
    client: TestClient, settings: Settings
) -> None:
    _upload(client)
    before = _files(settings)
    assert _upload(client).status_code == 409
    assert _files(settings) == before


def test_fields_that_are_missing_or_wrong_are_all_named(client: TestClient, settings: Settings) -> None:
    answer = client.post(f"{DATASETS}/upload", files={"name": (None, "no spaces please")})
    assert answer.status_code == 422
    assert {problem["field"] for problem in answer.json()["error"]["problems"]} == {"name", "file"}
    unknown = client.post(f"{DATASETS}/upload", data={"name": "a", "other": "b"}, files={"file": ("a.json", GOOD)})
    assert unknown.status_code == 422
    _assert_nothing_is_left(client, settings)


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", b"{}"),
        ("multipart/form-data", b""),
        ("multipart/form-data; boundary=x", b"no parts here"),
        ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="file"\r\n\r\ncut off'),
        ("multipart/form-data; boundary=x", b"--x\r\nContent-Disposition: form-data\r\n\r\nnameless\r\n--x--\r\n"),
    ],
)
def test_what_is_no_multipart_form_is_refused(
    client: TestClient, settings: Settings, content_type: str, body: bytes
) -> None:
    answer = client.post(f"{DATASETS}/upload", content=body, headers={"content-type": content_type})
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "bad_input")
    _assert_nothing_is_left(client, settings)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full, where every write fails, is a thing of Linux")
def test_a_full_disk_is_told_as_such_and_leaves_nothing(
    client: TestClient, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload.UploadReader, "_open", lambda _: Path("/dev/full").open("wb"))  # noqa: SIM115
    for content in (GOOD, GOOD * 1000):  # smaller and larger than the buffer: it fails at the end, and on the way
        answer = _upload(client, content)
        assert (answer.status_code, answer.json()["error"]["code"]) == (507, "disk_full")
    _assert_nothing_is_left(client, settings)


def test_a_row_that_cannot_be_stored_takes_the_file_with_it(
    client: TestClient, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    store: Callable[..., Any] = service._store

    def fails_at_the_commit(session: Session, *rest: Any) -> Any:
        row = store(session, *rest)

        def commit() -> None:
            raise OperationalError("COMMIT", {}, Exception("database or disk is gone"))

        monkeypatch.setattr(session, "_prepare_impl", commit, raising=False)
        monkeypatch.setattr(session.get_transaction(), "commit", lambda **_: commit())
        return row

    monkeypatch.setattr(service, "_store", fails_at_the_commit)
    assert _upload(client).status_code == 503
    monkeypatch.undo()
    _assert_nothing_is_left(client, settings)


def test_an_upload_beyond_the_limit_is_too_large_and_leaves_nothing(tmp_path: Path) -> None:
    reader = upload.UploadReader("multipart/form-data; boundary=x", tmp_path, max_bytes=200)
    head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.jsonl"\r\n\r\n'
    reader.feed(head)
    with pytest.raises(TooLarge, match="200"):
        reader.feed(b"y" * 200)
    assert list(tmp_path.iterdir()) != []
    reader.close()
    assert list(tmp_path.iterdir()) == []


def test_an_upload_that_ends_too_early_is_refused(tmp_path: Path) -> None:
    reader = upload.UploadReader("multipart/form-data; boundary=x", tmp_path, max_bytes=1000)
    reader.feed(b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.jsonl"\r\n\r\nhalf')
    with pytest.raises(BadInput):
        reader.finish()
    reader.close()


def test_what_a_killed_process_left_is_removed_at_the_next_start(tmp_path: Path) -> None:
    reader = upload.UploadReader("multipart/form-data; boundary=x", tmp_path, max_bytes=1000)
    reader.feed(b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.jsonl"\r\n\r\nhalf')
    (tmp_path / "kept.jsonl").write_text("")
    upload.remove_unfinished(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["kept.jsonl"]
