"""What the host keeps tokenised, over REST."""

from __future__ import annotations

from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from tests.tunedeck.tokens.test_preparation import exchange, source
from tunedeck.settings import Settings
from tunedeck.tokens.cache import TokenCache, key_of

pytestmark = pytest.mark.any_database

CACHE = "/api/v1/datasets/-/cache"


def test_kept_tokens_are_listed_with_their_size_and_removed(
    client: TestClient, settings: Settings, tmp_path: Path
) -> None:
    assert client.get(CACHE).json() == {"items": [], "next_cursor": ""}
    given = source(tmp_path / "data.jsonl", [exchange(number) for number in range(1, 9)])
    folder = TokenCache(settings.token_cache_dir).folder(given)
    (entry,) = client.get(CACHE).json()["items"]
    assert (entry["key"], entry["num_rows"], entry["num_samples"]) == (key_of(given), 8, 7)
    assert entry["size_bytes"] == sum(file.stat().st_size for file in folder.iterdir())
    assert client.delete(f"{CACHE}/{entry['key']}").json() == entry
    assert client.get(CACHE).json()["items"] == []
    assert client.delete(f"{CACHE}/{entry['key']}").json()["error"]["code"] == "not_found"
