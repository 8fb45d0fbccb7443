"""What a caller names must exist: a misspelt name is an error that says so, never an empty answer."""

from __future__ import annotations

import pytest
from fastapi.testclient import TestClient

from tests.support.backend import SPEC


@pytest.mark.parametrize("path", ["jobs", "datasets", "models"])
def test_a_cursor_that_no_page_gave_is_refused_at_its_field(client: TestClient, path: str) -> None:
    answer = client.get(f"/api/v1/{path}", params={"cursor": "zzz"})
    assert answer.status_code == 422
    assert [(each["field"], each["value"]) for each in answer.json()["error"]["problems"]] == [("cursor", "zzz")]


def test_an_unknown_metric_or_kind_is_named_with_the_likely_one(stocked: TestClient) -> None:
    job = f"/api/v1/jobs/{stocked.post('/api/v1/jobs', json=SPEC).json()['id']}"
    for path, field, wrong, right in (("metrics", "name", "los", "loss"), ("events", "kind", "evall", "eval")):
        answer = stocked.get(f"{job}/{path}", params={field: wrong})
        assert answer.status_code == 422
        problem = answer.json()["error"]["problems"][0]
        assert (problem["field"], problem["value"], problem["mend"]) == (field, wrong, f"did you mean {right}?")
        assert stocked.get(f"{job}/{path}", params={field: right}).status_code == 200


def test_a_stream_of_an_unknown_job_is_not_found(client: TestClient) -> None:
    answer = client.get("/api/v1/stream", params={"job": "unknown"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")
    assert "unknown" in answer.json()["error"]["message"]
