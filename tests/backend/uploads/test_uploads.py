"""tus 1.0: what the server has said to have, it has; what is broken off goes on; what is wrong counts for nothing."""

from __future__ import annotations

import errno
import os
import time

import pytest
from fastapi.testclient import TestClient

from backend.uploads import store
from backend.uploads.store import UploadStore
from tests.support.uploads import PART, UPLOADS, begin, checksum
from tunedeck.settings import Settings

pytestmark = pytest.mark.any_database

CONTENT = b"0123456789" * 1000


def _at(address: str, client: TestClient) -> int:
    return int(client.head(address).headers["upload-offset"])


def _store(client: TestClient) -> UploadStore:
    found: UploadStore = client.app.state.services.uploads  # type: ignore[attr-defined]
    return found


def test_the_protocol_says_what_it_can(client: TestClient) -> None:
    told = client.options(UPLOADS).headers
    assert told["tus-version"] == "1.0.0"
    assert set(told["tus-extension"].split(",")) == {"creation", "expiration", "checksum", "termination"}
    assert "sha256" in told["tus-checksum-algorithm"]


def test_parts_are_joined_and_the_file_is_what_was_sent(client: TestClient) -> None:
    address = begin(client, len(CONTENT), "../../etc/ü b.jsonl")
    for first in range(0, len(CONTENT), 3000):
        part = CONTENT[first : first + 3000]
        answer = client.patch(address, content=part, headers=PART | checksum(part) | {"Upload-Offset": str(first)})
        assert (answer.status_code, int(answer.headers["upload-offset"])) == (204, first + len(part))
    path, view = _store(client).file_of("first", address.rsplit("/", 1)[-1])
    assert (path.read_bytes(), view.file_name) == (CONTENT, "ü b.jsonl")
    assert path.is_relative_to(_store(client).folder)


def test_a_part_with_another_checksum_counts_for_nothing(client: TestClient) -> None:
    address = begin(client, len(CONTENT))
    answer = client.patch(address, content=CONTENT, headers=PART | checksum(b"other") | {"Upload-Offset": "0"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (460, "checksum_mismatch")
    assert _at(address, client) == 0
    answer = client.patch(address, content=CONTENT, headers=PART | checksum(CONTENT) | {"Upload-Offset": "0"})
    assert answer.status_code == 204


def test_a_part_at_another_place_is_refused_with_the_right_one(client: TestClient) -> None:
    address = begin(client, len(CONTENT))
    client.patch(address, content=CONTENT[:100], headers=PART | {"Upload-Offset": "0"})
    answer = client.patch(address, content=CONTENT[:100], headers=PART | {"Upload-Offset": "0"})
    assert answer.status_code == 409 and "at byte 100" in answer.json()["error"]["message"]


def test_more_than_was_announced_is_refused_and_what_came_before_stays(client: TestClient) -> None:
    address = begin(client, 100)
    assert client.patch(address, content=CONTENT, headers=PART | {"Upload-Offset": "0"}).status_code == 413
    assert _at(address, client) == 0


def test_what_was_written_but_never_acknowledged_is_written_again(client: TestClient) -> None:
    """After a crash the data may be longer than what was synced."""
    address = begin(client, len(CONTENT))
    client.patch(address, content=CONTENT[:100], headers=PART | {"Upload-Offset": "0"})
    place = _store(client).folder / address.rsplit("/", 1)[-1]
    (data,) = (place / "content").iterdir()
    data.write_bytes(CONTENT[:100] + b"\0" * 500)
    assert _at(address, client) == 100
    client.patch(address, content=CONTENT[100:], headers=PART | {"Upload-Offset": "100"})
    assert data.read_bytes() == CONTENT


def test_an_upload_survives_a_restart_and_belongs_to_its_owner(client: TestClient, settings: Settings) -> None:
    address = begin(client, len(CONTENT))
    client.patch(address, content=CONTENT[:100], headers=PART | {"Upload-Offset": "0"})
    again = UploadStore(settings.uploads_dir, settings.max_upload_bytes, settings.upload_lifetime_s)
    assert [(each.offset, each.num_bytes) for each in again.all("first")] == [(100, len(CONTENT))]
    assert again.all("somebody else") == ()


def test_an_upload_that_is_not_complete_makes_no_data_set(client: TestClient) -> None:
    address = begin(client, len(CONTENT))
    answer = client.post("/api/v1/datasets", json={"name": "a", "upload": address.rsplit("/", 1)[-1]})
    assert answer.status_code == 409 and "0 of 10,000 bytes" in answer.json()["error"]["message"]


def test_what_is_given_up_or_left_for_too_long_is_removed(client: TestClient) -> None:
    given_up, left, fresh = (begin(client, 10) for _ in range(3))
    assert client.delete(given_up).status_code == 204
    folder = _store(client).folder
    old = time.time() - 25 * 3600
    os.utime(folder / left.rsplit("/", 1)[-1] / "offset", (old, old))
    _store(client).purge(time.time())
    assert [path.name for path in folder.iterdir()] == [fresh.rsplit("/", 1)[-1]]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Upload-Length": "10", "Tus-Resumable": "0.2.2"}, 412),
        ({"Upload-Length": "-1"}, 422),
        ({}, 422),
        ({"Upload-Length": str(2**61)}, 413),
        ({"Upload-Length": "10", "Upload-Metadata": "filename §"}, 422),
    ],
)
def test_what_cannot_be_taken_is_refused_before_a_byte_is_sent(
    client: TestClient, settings: Settings, headers: dict[str, str], status: int
) -> None:
    answer = client.post(UPLOADS, headers={key: value.encode("latin-1") for key, value in headers.items()})
    assert answer.status_code == status, answer.text
    assert not list(settings.uploads_dir.glob("*"))


def test_a_body_that_is_no_part_of_a_file_is_refused(client: TestClient) -> None:
    address = begin(client, 10)
    answer = client.patch(address, content=b"x", headers={"Upload-Offset": "0", "Content-Type": "text/plain"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (415, "wrong_media_type")


def test_a_full_disk_is_told_as_such_and_the_upload_can_go_on(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = begin(client, len(CONTENT))

    def no_space(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as full:
        full.setattr(store.os, "fsync", no_space)
        answer = client.patch(address, content=CONTENT, headers=PART | {"Upload-Offset": "0"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (507, "disk_full")
    assert _at(address, client) == 0
    assert client.patch(address, content=CONTENT, headers=PART | {"Upload-Offset": "0"}).status_code == 204
