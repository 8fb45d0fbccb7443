"""Artifacts over REST: what is listed, what can be fetched, and that nothing else can."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from tests.support.jobs import add_attempt, add_running_job
from tunedeck.run_folder import RunFolder
from tunedeck.settings import Settings


@pytest.fixture
def job_id(client: TestClient, settings: Settings) -> str:
    """A job in its second attempt; both attempts left files, the second one also links."""
    with client.app.state.services.database.writing() as session:  # type: ignore[attr-defined]
        job = add_running_job(session, time.time())
        job.attempt = 2
        add_attempt(session, job.id, 2, time.time())
        job_id = job.id
    first, second = (RunFolder.of(settings.data_dir, job_id, attempt) for attempt in (1, 2))
    _write(first.profile / "rank0-steps-16-17.pt.trace.json.gz", b"\x1f\x8btrace")
    _write(second.fp8, b'{"modules": []}')
    _write(second.wandb / "wandb" / "run é.wandb", b"records")
    _write(second.spec, b"secret")
    (second.wandb / "latest").symlink_to(second.wandb / "wandb", target_is_directory=True)
    (second.artifacts / "spec").symlink_to(second.spec)
    return job_id


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def test_files_of_all_attempts_are_listed_the_newest_attempt_first(client: TestClient, job_id: str) -> None:
    items = client.get(f"/api/v1/jobs/{job_id}/artifacts").json()["items"]
    assert [(item["attempt"], item["kind"], item["path"], item["size_bytes"]) for item in items] == [
        (2, "fp8", "fp8.json", 15),
        (2, "wandb", "wandb/wandb/run é.wandb", 7),
        (1, "profile", "profile/rank0-steps-16-17.pt.trace.json.gz", 7),
    ]
    assert all(abs(item["changed_at"] - time.time()) < 60 for item in items)


def test_a_listed_file_comes_as_it_is(client: TestClient, job_id: str) -> None:
    answer = client.get(f"/api/v1/jobs/{job_id}/artifacts/1/profile/rank0-steps-16-17.pt.trace.json.gz")
    assert answer.content == b"\x1f\x8btrace"
    assert answer.headers["content-type"] == "application/octet-stream"
    assert 'attachment; filename="rank0-steps-16-17.pt.trace.json.gz"' in answer.headers["content-disposition"]
    assert client.get(f"/api/v1/jobs/{job_id}/artifacts/2/wandb/wandb/run é.wandb").content == b"records"


@pytest.mark.parametrize(
    "path",
    [
        "2/%2e%2e/spec.json",
        "2/wandb/%2e%2e/%2e%2e/spec.json",
        "2/wandb/%2e%2e/fp8.json",
        "2//etc/passwd",
        "2/spec",
        "2/wandb/latest/run%20%C3%A9.wandb",
        "2/wandb",
        "2/none%00",
        "2/",
        "3/fp8.json",
        "2/" + "a" * 5000,
    ],
)
def test_nothing_outside_the_artifacts_can_be_fetched(client: TestClient, job_id: str, path: str) -> None:
    answer = client.get(f"/api/v1/jobs/{job_id}/artifacts/{path}")
    assert answer.status_code == 404
    assert b"secret" not in answer.content


def test_an_unknown_job_and_a_job_without_artifacts(client: TestClient) -> None:
    assert client.get("/api/v1/jobs/nobody/artifacts").json()["error"]["code"] == "not_found"
    assert client.get("/api/v1/jobs/nobody/artifacts/1/fp8.json").status_code == 404
    with client.app.state.services.database.writing() as session:  # type: ignore[attr-defined]
        job_id = add_running_job(session, time.time()).id
    assert client.get(f"/api/v1/jobs/{job_id}/artifacts").json() == {"items": [], "next_cursor": ""}


def test_artifacts_want_a_login(stranger: TestClient) -> None:
    assert stranger.get("/api/v1/jobs/any/artifacts").status_code == 401
    assert stranger.get("/api/v1/jobs/any/artifacts/1/fp8.json").status_code == 401
