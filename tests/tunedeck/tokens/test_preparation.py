"""A data set as flat files of tokens: order, counts, faults, processes."""

from __future__ import annotations

import json
from array import array
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.support.tokenizers import write_tokenizer
from tunedeck.conversations import Conversation, FaultPolicy, Message, Reading
from tunedeck.conversations.scan import content_sha256
from tunedeck.demo.assets import BASE_FOLDER
from tunedeck.errors import DatasetInvalid
from tunedeck.spec import LossMaskType
from tunedeck.tokens import ChatTokenizer, loss_mask, mark
from tunedeck.tokens.preparation import TokenSource, prepare
from tunedeck.tokens.token_files import LEARNED, NUM_LEARNED, OFFSETS, TOKENS, PreparedFigures

USER_FIRST = "{% if messages[0].role == 'assistant' %}{{ raise_exception('the user speaks first') }}{% endif %}"


def source(
    file: Path,
    rows: Sequence[dict[str, Any]],
    *,
    model: Path = BASE_FOLDER,
    kind: LossMaskType = "qwen",
    reading: Reading | None = None,
) -> TokenSource:
    file.write_text("\n".join(map(json.dumps, rows)))
    return TokenSource(file, content_sha256(file), reading or Reading(), model, kind)


def exchange(number: int) -> dict[str, Any]:
    return {"prompt": f"What is {number}?", "completion": "" if number % 5 == 0 else f"It is {number}. 好"}


def prepared(given: TokenSource, folder: Path, num_processes: int = 1) -> tuple[PreparedFigures, list[list[int]]]:
    """The figures, and the tokens of each sample."""
    folder.mkdir()
    figures = prepare(given, folder, num_processes)
    tokens, offsets = array("i", (folder / TOKENS).read_bytes()), array("q", (folder / OFFSETS).read_bytes())
    return figures, [tokens[start:stop].tolist() for start, stop in pairwise(offsets)]


def test_samples_keep_the_order_of_the_file_and_what_teaches_nothing_is_counted(tmp_path: Path) -> None:
    given = source(tmp_path / "data.jsonl", [exchange(number) for number in range(600)])
    figures, samples = prepared(given, tmp_path / "tokens")
    tokenizer = ChatTokenizer.load(BASE_FOLDER)
    mask = loss_mask("qwen", tokenizer)
    conversations = [
        Conversation((Message("user", f"What is {n}?", False), Message("assistant", f"It is {n}. 好", True)))
        for n in range(600)
        if n % 5
    ]
    expected = mark(tokenizer, [mask(conversation) for conversation in conversations])
    assert samples == [sample.ids for sample in expected]
    flags = [bool(flag) for flag in (tmp_path / "tokens" / LEARNED).read_bytes()]
    assert flags == [flag for sample in expected for flag in sample.flags()]
    num_learned = array("i", (tmp_path / "tokens" / NUM_LEARNED).read_bytes()).tolist()
    assert num_learned == [sample.num_learned for sample in expected]
    assert figures == PreparedFigures(
        num_rows=600,
        num_samples=480,
        num_tokens=sum(map(len, samples)),
        num_trained_tokens=sum(flags),
        longest_sample_tokens=max(map(len, samples)),
        largest_token_id=max(map(max, samples)),
    )


def test_a_row_that_the_template_refuses_is_named(tmp_path: Path) -> None:
    answer = [{"role": "assistant", "content": "y"}]
    bad = {"prompt": answer, "completion": answer}
    rows = [*map(exchange, range(1, 700)), bad]
    given = source(
        tmp_path / "data.jsonl", rows, model=write_tokenizer(tmp_path / "model", USER_FIRST), kind="distill_qwen"
    )
    with pytest.raises(DatasetInvalid, match=r"data.jsonl, row 700: .* the user speaks first"):
        prepared(given, tmp_path / "tokens")


def test_nothing_to_learn_is_an_error(tmp_path: Path) -> None:
    given = source(tmp_path / "data.jsonl", [exchange(0), exchange(5)])
    with pytest.raises(DatasetInvalid, match="none of the 2 rows"):
        prepared(given, tmp_path / "tokens")


def test_a_file_that_changed_since_it_was_registered_is_refused(tmp_path: Path) -> None:
    given = source(tmp_path / "data.jsonl", [exchange(1)])
    (tmp_path / "data.jsonl").write_text(json.dumps(exchange(2)))
    with pytest.raises(DatasetInvalid, match="has changed"):
        prepared(given, tmp_path / "tokens")


def long_row() -> dict[str, Any]:
    turns = [("user", "1?"), ("assistant", "1"), ("user", "2?"), ("assistant", "It is 2. " * 40)]
    return {"messages": [{"role": role, "content": content} for role, content in turns]}


@pytest.mark.parametrize(("action", "num_samples"), [("keep", 2), ("drop", 1), ("truncate", 2)])
def test_a_sample_of_too_many_tokens_goes_the_way_of_the_policy(tmp_path: Path, action: Any, num_samples: int) -> None:
    reading = Reading(max_tokens=64, policy=FaultPolicy(overlong=action))
    given = source(tmp_path / "data.jsonl", [{"messages": exchange_as_messages()}, long_row()], reading=reading)
    figures, samples = prepared(given, tmp_path / "tokens")
    assert figures.num_samples == num_samples
    assert (max(map(len, samples)) > 64) == (action == "keep")
    if action == "truncate":
        assert samples[1] == samples[0]


def exchange_as_messages() -> list[dict[str, str]]:
    return [{"role": "user", "content": "1?"}, {"role": "assistant", "content": "1"}]


def test_a_sample_of_too_many_tokens_fails_by_name_where_the_policy_says_so(tmp_path: Path) -> None:
    reading = Reading(max_tokens=64, policy=FaultPolicy(overlong="fail"))
    given = source(tmp_path / "data.jsonl", [long_row()], reading=reading)
    with pytest.raises(DatasetInvalid, match=r"row 1: it has \d+ tokens, more than the 64 of max_tokens"):
        prepared(given, tmp_path / "tokens")
