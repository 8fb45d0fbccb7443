"""A file that is tokenised in parts, by one process or several, gives what it gives as a whole."""

from __future__ import annotations

import gzip
import json
from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.tunedeck.conversations.files import write
from tests.tunedeck.tokens.test_preparation import exchange
from tunedeck.conversations import FaultPolicy, Reading
from tunedeck.conversations.scan import content_sha256
from tunedeck.demo.assets import BASE_FOLDER
from tunedeck.errors import DatasetInvalid
from tunedeck.tokens import preparation
from tunedeck.tokens.encoded_rows import EncodedRows
from tunedeck.tokens.preparation import TokenSource, prepare
from tunedeck.tokens.token_files import PreparedFigures

WITHOUT_DUPLICATES = Reading(max_tokens=90, policy=FaultPolicy(malformed="drop", overlong="truncate", duplicate="drop"))


def conversation(number: int) -> dict[str, Any]:
    """Every seventh says what one of the first five says; some are too long, weighted, or of nothing to learn."""
    said = number % 5 if number % 7 == 6 else number
    weight = (1, 0.5, 0)[said % 3]
    answer = {"role": "assistant", "content": f"It is {said}. 好é\u2028" * (20 if said % 11 == 0 else 1)}
    turns = [{"role": "user", "content": f"{said}?"}, {**answer, "weight": weight}]
    return {"messages": turns * 2 if said % 4 == 0 else turns}


ROWS = [conversation(number) for number in range(400)]


def as_lines(rows: Sequence[Any], end: str = "\n") -> bytes:
    return end.join(json.dumps(row, ensure_ascii=False) for row in rows).encode()


def prepared(
    path: Path, reading: Reading = WITHOUT_DUPLICATES, num_processes: int = 1
) -> tuple[PreparedFigures, dict[str, bytes]]:
    """The figures, and the files."""
    target = path.parent / f"tokens-{len(list(path.parent.iterdir()))}"
    target.mkdir()
    figures = prepare(TokenSource(path, content_sha256(path), reading, BASE_FOLDER, "qwen"), target, num_processes)
    return figures, {file.name: file.read_bytes() for file in target.iterdir()}


@pytest.fixture
def in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preparation, "_ROWS_ALONE", 1)
    monkeypatch.setattr(preparation, "_PART_BYTES", 3_000)


@pytest.mark.parametrize("num_bytes", [3, 7, 4_096])
def test_a_file_may_be_cut_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, num_bytes: int) -> None:
    path = write(tmp_path, b"\xef\xbb\xbf\r\n" + as_lines(ROWS[:60], "\r\n\r\n \n") + b"\n\n", "data.jsonl")
    whole = prepared(path)
    assert whole[0].num_rows == 60
    monkeypatch.setattr(preparation, "_PART_BYTES", num_bytes)
    assert prepared(path) == whole


@pytest.mark.parametrize("name", ["data.json", "data.jsonl.gz", "data.parquet"])
def test_several_processes_write_what_one_writes(tmp_path: Path, in_parts: None, name: str) -> None:
    path = write(tmp_path, ROWS, name)
    several = prepared(path, num_processes=2)
    with pytest.MonkeyPatch.context() as whole:
        whole.setattr(preparation, "_PART_BYTES", 1 << 20)
        assert several == prepared(path)
    unique = [row for number, row in enumerate(ROWS) if number % 7 != 6]
    kept = Reading(max_tokens=90, policy=FaultPolicy(overlong="truncate"))
    assert several[1] == prepared(write(tmp_path, unique, "unique.jsonl"), kept)[1]
    assert (several[0].num_rows, len(unique)) == (400, 343)


def test_there_may_be_more_processes_than_rows(tmp_path: Path, in_parts: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preparation, "_PART_BYTES", 1)
    path = write(tmp_path, ROWS[:3], "data.jsonl")
    assert prepared(path, num_processes=9) == prepared(path)


def test_the_shape_may_be_known_late_and_is_kept_by_all(tmp_path: Path, in_parts: None) -> None:
    lines = [b"broken"] * 500 + [as_lines(ROWS[:100]), b'{"prompt": "a", "completion": "b"}', as_lines(ROWS[100:300])]
    path = write(tmp_path, b"\n".join(lines), "data.jsonl")
    figures, files = prepared(path, num_processes=2)
    assert figures.num_rows == 801
    assert files == prepared(write(tmp_path, ROWS[:300], "good.jsonl"))[1]


def test_a_row_that_is_refused_goes_before_a_later_break_of_the_file(tmp_path: Path, in_parts: None) -> None:
    rows = as_lines([*map(exchange, range(350)), {"messages": "?"}, *map(exchange, range(400))])
    path = tmp_path / "data.jsonl.gz"
    path.write_bytes(gzip.compress(rows)[:-9])
    for num_processes in (1, 2):
        with pytest.raises(DatasetInvalid, match=r"data.jsonl.gz, row 351: there is no"):
            prepared(path, Reading(shape="prompt_completion"), num_processes)


def test_a_duplicate_is_named_wherever_the_other_one_is(tmp_path: Path, in_parts: None) -> None:
    path = write(tmp_path, [*map(exchange, range(1, 381)), exchange(3)], "data.jsonl")
    with pytest.raises(DatasetInvalid, match=r"data.jsonl, row 381: says the same as a row before it"):
        prepared(path, Reading(policy=FaultPolicy(duplicate="fail")))


def test_samples_that_are_left_out_take_their_weights_with_them() -> None:
    rows = EncodedRows(
        num_rows=3,
        tokens=array("i", [1, 2, 3, 4, 5, 6]).tobytes(),
        learned=b"\0\1\0\1\0\1",
        lengths=array("i", [2, 2, 2]).tobytes(),
        num_learned=array("i", [1, 1, 1]).tobytes(),
        weighted=array("q", [1, 2, 3, 4, 5, 6]).tobytes(),
        weights=array("f", [0.5, 2, 4]).tobytes(),
        largest_token_id=6,
    )
    kept = rows.without(frozenset({1}))
    assert (array("i", kept.tokens).tolist(), kept.learned) == ([1, 2, 5, 6], b"\0\1\0\1")
    assert array("i", kept.lengths).tolist() == [2, 2]
    assert (array("q", kept.weighted).tolist(), array("f", kept.weights).tolist()) == ([1, 2, 3, 4], [0.5, 4])
    assert kept.num_rows == 3
