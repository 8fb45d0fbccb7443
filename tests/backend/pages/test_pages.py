"""Pages, headers and static files."""

from __future__ import annotations

import gzip
import re
import time

import pytest
from fastapi.testclient import TestClient

from tests.support.backend import SPEC
from tests.support.jobs import add_running_job

pytestmark = pytest.mark.any_database


def test_every_page_renders_with_nothing_registered(client: TestClient, subtests: pytest.Subtests) -> None:
    for path in ["/runs", "/new", "/data", "/models", "/cluster", "/settings", "/login"]:
        with subtests.test(path=path):
            answer = client.get(path)
            assert answer.status_code == 200, answer.text
            assert answer.headers["content-type"].startswith("text/html")


def test_every_page_renders_with_something_registered(stocked: TestClient, subtests: pytest.Subtests) -> None:
    for path in ["/runs", "/new", "/data", "/models", "/cluster"]:
        with subtests.test(path=path):
            stocked.post("/api/v1/jobs", json=SPEC)
            answer = stocked.get(path)
            assert answer.status_code == 200
            assert {"/runs": "first", "/new": "tiny", "/data": "chats", "/models": "tiny", "/cluster": "box"}[
                path
            ] in answer.text


def test_the_page_of_a_run_and_its_clone(stocked: TestClient) -> None:
    job_id = stocked.post("/api/v1/jobs", json=SPEC).json()["id"]
    assert job_id in stocked.get(f"/runs/{job_id}").text
    assert stocked.get(f"/new?from={job_id}").status_code == 200


def test_a_host_with_a_hundred_runs_folds_all_but_four(stocked: TestClient) -> None:
    with stocked.app.state.services.database.writing() as session:  # type: ignore[attr-defined]
        for number in range(100):
            add_running_job(session, time.time(), name=f"many-{number}")
    shown, folded = stocked.get("/cluster").text.split("and 96 more")
    assert len(re.findall(r"data-run=", shown)) == 4
    assert len(re.findall(r"data-run=", folded)) == 96


def test_the_form_of_prices_shows_a_price_in_full(client: TestClient) -> None:
    assert client.put("/api/v1/prices", json={"per_gpu_hour": 12345.678}).is_success
    assert 'value="12345.678"' in client.get("/settings").text


def test_home_leads_to_the_runs(client: TestClient) -> None:
    answer = client.get("/")
    assert (answer.status_code, answer.headers["location"]) == (303, "/runs")


def test_a_page_tells_errors_as_a_page(client: TestClient, subtests: pytest.Subtests) -> None:
    for path in ["/runs/none", "/new?from=none", "/nowhere"]:
        with subtests.test(path=path):
            answer = client.get(path)
            assert answer.status_code == 404
            assert "<html" in answer.text


def test_the_page_of_an_unknown_run_sends_people_to_the_list_and_not_to_a_call(client: TestClient) -> None:
    shown = client.get("/runs/none").text
    assert "Every run is in the list of runs" in shown and 'href="/runs"' in shown
    assert "/api/v1" not in shown


def test_an_unknown_call_tells_errors_as_json(client: TestClient) -> None:
    unknown = client.get("/api/v1/nowhere")
    assert (unknown.status_code, unknown.json()["error"]["code"]) == (404, "not_found")
    wrong = client.delete("/api/v1/jobs")
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (405, "method_not_allowed")
    assert "GET" in wrong.headers["allow"] or "POST" in wrong.headers["allow"]


def test_every_answer_carries_the_security_headers_and_is_not_stored(
    client: TestClient, subtests: pytest.Subtests
) -> None:
    for path in ["/runs", "/api/v1/jobs", "/runs/none", "/login"]:
        with subtests.test(path=path):
            headers = client.get(path).headers
            policy = headers["content-security-policy"]
            assert "default-src 'self'" in policy and "frame-ancestors 'none'" in policy and "script" not in policy
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["cache-control"] == "no-store"
            assert "referrer-policy" in headers


def test_no_page_has_scripts_that_the_policy_would_block(stocked: TestClient) -> None:
    job_id = stocked.post("/api/v1/jobs", json=SPEC).json()["id"]
    for path in ("/runs", f"/runs/{job_id}", "/new", "/data", "/models", "/cluster", "/login", "/nowhere"):
        page = stocked.get(path).text
        scripts = re.findall(r"<script([^>]*)>", page)
        assert all("src=" in attributes or "application/json" in attributes for attributes in scripts), path
        assert not re.search(r"\son\w+=", page), path
        assert not re.search(r"(src|href)=\"(https?:)?//", page), path


def test_plotly_is_served_from_its_package_compressed_and_cacheable(stranger: TestClient) -> None:
    answer = stranger.get("/static/plotly.min.js")
    assert answer.headers["content-encoding"] == "gzip"
    assert "plotly.js v" in answer.text[:200]
    again = stranger.get("/static/plotly.min.js", headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    plain = stranger.get("/static/plotly.min.js", headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert len(plain.content) > 2 * len(gzip.compress(plain.content, 6))


def test_static_files_need_no_login_and_are_kept_only_under_their_hash(stranger: TestClient) -> None:
    plain = stranger.get("/static/css/base.css")
    assert (plain.status_code, plain.headers["cache-control"]) == (200, "no-cache")
    linked = re.findall(r'href="(/static/v-[0-9a-f]{12}/css/base.css)"', stranger.get("/login").text)
    kept = stranger.get(linked[0])
    assert kept.content == plain.content
    assert "immutable" in kept.headers["cache-control"]


def test_no_other_file_is_served(stranger: TestClient, subtests: pytest.Subtests) -> None:
    for path in ["/static/../backend/app.py", "/static/%2e%2e/__init__.py", "/static/none.js"]:
        with subtests.test(path=path):
            assert stranger.get(path).status_code in (303, 404)


def test_large_answers_are_compressed(stocked: TestClient) -> None:
    assert stocked.get("/api/v1/openapi.json").headers["content-encoding"] == "gzip"


def test_a_body_beyond_the_limit_is_too_large(client: TestClient) -> None:
    answer = client.post("/api/v1/jobs", json={"name": "x" * (1 << 20)})
    assert answer.status_code == 413
    assert answer.json()["error"]["code"] == "too_large"
    assert "1,048,576 bytes" in answer.json()["error"]["mend"]
