"""A far row is the same whether it is cut out of the file or reached over all rows before it."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from backend.previews import rows, slices
from backend.previews.rows import File, RowReader
from tests.support.backend import conversation
from tunedeck.conversations import Reading

pytestmark = pytest.mark.any_database

NUM_ROWS = 500


@pytest.fixture(params=["jsonl", "without a last line break", "with blank lines", "parquet"])
def file(request: pytest.FixtureRequest, tmp_path: Path) -> File:
    made = [conversation(f"{number}+1?" + " " * (number % 50), str(number + 1)) for number in range(NUM_ROWS)]
    path = tmp_path / "rows"
    if request.param == "parquet":
        pq.write_table(pa.Table.from_pylist(made), path, row_group_size=90)
    else:
        separator = "\n\n" if request.param == "with blank lines" else "\n"
        end = "" if request.param == "without a last line break" else "\n"
        path.write_text(separator.join(map(json.dumps, made)) + end)
    form = "parquet" if request.param == "parquet" else "jsonl"
    return File(path, Reading(shape="messages"), form, "none", NUM_ROWS)


def test_a_far_row_is_found_without_reading_those_before(file: File, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slices, "_CHUNK_BYTES", 700)
    monkeypatch.setattr(slices, "_READ_ROWS", 7)
    monkeypatch.setattr(rows, "_NEAR", 5)
    slices._line_index.cache_clear()
    for first, limit in ((6, 3), (7, 1), (89, 4), (180, 20), (271, 1), (499, 5), (500, 1), (501, 2)):
        found = RowReader().rows(file, first, limit)
        numbers = [number for number, _ in found]
        assert numbers == list(range(first, min(first + limit, NUM_ROWS + 1)))
        assert [row.messages[1].content for _, row in found if row] == [str(number) for number in numbers]
