"""A name for an address of a page, for everybody."""

from __future__ import annotations

import pytest
from fastapi.testclient import TestClient

pytestmark = pytest.mark.any_database
VIEWS = "/api/v1/views"
FAILED = "q=tag%3Abase&state=failed"


def names(client: TestClient, page: str) -> list[str]:
    return [view["name"] for view in client.get(f"{VIEWS}/{page}").json()["items"]]


def test_a_view_is_saved_listed_overwritten_on_purpose_and_deleted(client: TestClient) -> None:
    address = f"{VIEWS}/runs/What failed"
    saved = client.put(address, json={"query": FAILED}).json()
    assert (saved["query"], saved["saved_by"], saved["page"]) == (FAILED, "first", "runs")
    client.put(f"{VIEWS}/compare/fp8 or bf16", json={"query": "run=a&run=b&group=precision.fp8_format&smooth=0"})
    client.put(f"{VIEWS}/runs/A first one", json={"query": ""})
    assert names(client, "runs") == ["A first one", "What failed"]
    assert names(client, "compare") == ["fp8 or bf16"]
    assert client.put(address, json={"query": FAILED}).status_code == 200, "sent twice"
    refusal = client.put(address, json={"query": "state=queued"})
    assert refusal.status_code == 409
    assert "What failed" in refusal.json()["error"]["message"]
    assert client.put(f"{address}?overwrite=true", json={"query": "state=queued"}).json()["query"] == "state=queued"
    assert client.delete(address).json()["query"] == "state=queued"
    assert names(client, "runs") == ["A first one"]
    assert client.delete(address).status_code == 404


def test_what_is_no_view_is_refused(client: TestClient) -> None:
    assert client.put(f"{VIEWS}/cluster/x", json={"query": ""}).status_code == 422
    for name in ("x" * 81, "a%0Ab", "x%20"):
        refusal = client.put(f"{VIEWS}/runs/{name}", json={"query": ""})
        assert (refusal.status_code, "none of them a '/'" in refusal.json()["error"]["mend"]) == (422, True)
    assert client.put(f"{VIEWS}/runs/fp8%2Fbf16", json={"query": ""}).status_code == 404
    assert client.put(f"{VIEWS}/runs/x", json={"query": "a b"}).status_code == 422
    assert client.put(f"{VIEWS}/runs/x", json={"query": "//stranger?a"}).status_code == 422
