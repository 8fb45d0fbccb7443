"""The data of a run: from the cache of the host, from a validation data set; a foreign tokenizer is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.engine.tiny import events, losses, resolved_spec, train_here
from tunedeck.conversations.scan import content_sha256
from tunedeck.errors import ModelInvalid
from tunedeck.tokens.cache import TokenCache


def test_a_tokenizer_larger_than_the_model_is_refused(tiny_qwen3: Path, sums: Path, tmp_path: Path) -> None:
    spec = resolved_spec(tiny_qwen3, sums, model={"vocab_size": 200})
    with pytest.raises(ModelInvalid, match="the model has 200 embeddings"):
        train_here(spec, tmp_path)


def test_the_second_run_finds_the_tokens_of_the_first_and_trains_the_same(
    tiny_qwen3: Path, sums: Path, tmp_path: Path
) -> None:
    spec = resolved_spec(tiny_qwen3, sums, batching={"train_iters": 3})
    for run in ("first", "second"):
        train_here(spec, tmp_path / run, token_cache=tmp_path / "cache")
    train_here(spec, tmp_path / "alone")
    assert losses(tmp_path / "first") == losses(tmp_path / "second") == losses(tmp_path / "alone")
    assert len(TokenCache(tmp_path / "cache").entries()) == 1
    assert not (tmp_path / "alone" / "samples").exists()


def test_a_validation_data_set_of_its_own_is_validated_on_and_nothing_is_held_out(
    tiny_qwen3: Path, sums: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.jsonl"
    other.write_text("\n".join(json.dumps({"prompt": f"{n}?", "completion": "Good!"}) for n in range(5)))
    validation = {"validation_dataset": "other", "validation_path": str(other), "num_validation_rows": 0}
    spec = resolved_spec(
        tiny_qwen3,
        sums,
        batching={"train_iters": 3},
        data={**validation, "validation_sha256": content_sha256(other)},
    )
    train_here(spec, tmp_path)
    (plan,) = events(tmp_path, "plan")
    assert (plan["facts"]["num_training_samples"], plan["facts"]["num_validation_samples"]) == (96, 5)
    assert len(events(tmp_path, "eval")) == 2
