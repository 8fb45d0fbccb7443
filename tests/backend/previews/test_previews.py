"""Rows, tokens, lengths and packing of a data set, as pages show them before anything is trained."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.support.backend import add_host, conversation
from tunedeck.conversations import Reading
from tunedeck.demo import assets
from tunedeck.settings import Settings
from tunedeck.tokens import ChatTokenizer
from tunedeck.tokens.cache import key_of
from tunedeck.tokens.preparation import TokenSource

pytestmark = pytest.mark.any_database

DATASETS = "/api/v1/datasets"
SPEC: dict[str, Any] = {
    "name": "look",
    "model": "demo",
    "dataset": "mixed",
    "data": {"validation_fraction": 0},
    "batching": {"global_batch_size": 4, "max_tokens_per_gpu": 64},
}
NUM_ROWS = 30


@pytest.fixture
def looked_at(client: TestClient, settings: Settings) -> TestClient:
    """The model `demo`, and the data set `mixed`, whose row 3 has nothing to learn."""
    assets.write_base_model(settings.models_dir / "demo")
    rows = [conversation(f"{number}+1?", str(number + 1)) for number in range(NUM_ROWS)]
    rows[2] = {"messages": [{"role": "user", "content": "nobody answers"}]}
    (settings.datasets_dir / "mixed.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert client.post("/api/v1/models", json={"name": "demo", "path": "demo"}).status_code == 201
    assert client.post(DATASETS, json={"name": "mixed", "path": "mixed.jsonl"}).status_code == 201
    with client.app.state.services.database.writing() as session:  # type: ignore[attr-defined]
        add_host(session, time.time() + 3600)
    return client


def test_rows_are_paged_forwards_and_back_and_the_dropped_one_is_marked(looked_at: TestClient) -> None:
    def numbers(first: int, limit: int) -> tuple[list[int], bool]:
        page = looked_at.get(f"{DATASETS}/mixed/rows", params={"first": first, "limit": limit}).json()
        return [row["row"] for row in page["rows"]], page["has_more"]

    assert numbers(1, 20) == (list(range(1, 21)), True)
    assert numbers(21, 20) == (list(range(21, 31)), False)
    assert numbers(2, 2) == ([2, 3], True)
    assert numbers(31, 5) == ([], False)
    rows = looked_at.get(f"{DATASETS}/mixed/rows").json()["rows"]
    assert [row["row"] for row in rows if not row["is_trained"]] == [3]
    assert rows[1]["messages"][1] == {"role": "assistant", "content": "2", "trained": True}


def test_the_tokens_of_a_row_are_those_of_the_template_and_the_answer_is_trained(
    looked_at: TestClient, settings: Settings
) -> None:
    answer = looked_at.get(f"{DATASETS}/mixed/tokens", params={"row": 8, "model": "demo"})
    assert answer.status_code == 200, answer.text
    tokens = answer.json()["sample"]["tokens"]
    assert "".join(token["text"] for token in tokens if token["trained"]) == "8<|im_end|>\n"
    tokenizer = ChatTokenizer.load(settings.models_dir / "demo")
    whole = "<|im_start|>user\n7+1?<|im_end|>\n<|im_start|>assistant\n8<|im_end|>\n"
    assert [token["id"] for token in tokens] == tokenizer.encode([whole])[0].ids
    assert answer.json()["equals_template"] is True


def test_a_row_that_is_left_out_or_not_there_says_so(looked_at: TestClient) -> None:
    for row, words in ((3, "left out of training"), (99, "there is no row 99")):
        answer = looked_at.get(f"{DATASETS}/mixed/tokens", params={"row": row, "model": "demo"})
        assert answer.status_code == 404 and words in answer.json()["error"]["message"]
    assert looked_at.get(f"{DATASETS}/mixed/tokens", params={"row": 1, "model": "none"}).status_code == 404


def test_a_forecast_counts_every_sample_and_packs_as_the_engine_will(looked_at: TestClient) -> None:
    answer = _forecast(looked_at, SPEC)
    lengths = [len(tokens) for tokens in _all_tokens(looked_at)]
    assert (answer["num_rows"], answer["num_samples"]) == (NUM_ROWS, NUM_ROWS - 1)
    assert (answer["total"]["minimum"], answer["total"]["maximum"]) == (min(lengths), max(lengths))
    assert answer["packing"]["steps_per_epoch"] == (NUM_ROWS - 1) // 4
    assert answer["packing"]["mean_num_microbatches"] >= 1
    # The lengths are kept: another layout is answered at once, without new work.
    num_works = len(looked_at.get("/api/v1/works").json()["items"])
    roomy = _forecast(looked_at, SPEC | {"batching": {"global_batch_size": 4, "max_tokens_per_gpu": 4096}})
    assert roomy["packing"]["mean_num_microbatches"] == 1
    assert len(looked_at.get("/api/v1/works").json()["items"]) == num_works


def test_the_tokens_of_a_forecast_are_those_that_a_job_finds(looked_at: TestClient, settings: Settings) -> None:
    answer = _forecast(looked_at, SPEC)
    (entry,) = looked_at.get(f"{DATASETS}/-/cache").json()["items"]
    job = looked_at.post("/api/v1/jobs", json=SPEC).json()["resolved"]
    data, model = job["data"], Path(job["model"]["path"])
    reading = Reading.model_validate(data["reading"])
    source = TokenSource(Path(data["path"]), data["content_sha256"], reading, model, data["loss_mask_type"])
    assert entry["key"] == key_of(source)
    assert (entry["num_rows"], entry["num_samples"]) == (answer["num_rows"], answer["num_samples"])
    # Without them the lengths stay known: a forecast asks for no tokens.
    looked_at.delete(f"{DATASETS}/-/cache/{entry['key']}")
    assert _forecast(looked_at, SPEC) == answer


def test_a_forecast_of_a_spec_that_cannot_run_names_its_faults(looked_at: TestClient) -> None:
    answer = looked_at.post("/api/v1/jobs/forecast", json=SPEC | {"dataset": "none"})
    assert (answer.status_code, answer.json()["error"]["problems"][0]["field"]) == (422, "dataset")


def _forecast(client: TestClient, spec: dict[str, Any]) -> dict[str, Any]:
    answer = client.post("/api/v1/jobs/forecast", json=spec)
    while answer.status_code == 202:
        time.sleep(0.1)
        answer = client.post("/api/v1/jobs/forecast", json=spec)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def _all_tokens(client: TestClient) -> list[list[Any]]:
    rows = [row for row in range(1, NUM_ROWS + 1) if row != 3]
    answers = [client.get(f"{DATASETS}/mixed/tokens", params={"row": row, "model": "demo"}) for row in rows]
    return [answer.json()["sample"]["tokens"] for answer in answers]
