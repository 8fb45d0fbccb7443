"""What no file may do: take all memory, take all time, end the process, or fail with anything but a sentence."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.tunedeck.conversations.files import GOOD, HELLO, write
from tunedeck.conversations import FaultPolicy, Reading
from tunedeck.conversations.files import bytestream, columnar, json_array, json_lines, table_text
from tunedeck.conversations.scan import inspect, scan
from tunedeck.errors import DatasetInvalid

DROP_ALL = Reading(
    policy=FaultPolicy(
        malformed="drop", encoding="drop", unknown_role="drop", broken_tool_call="drop", duplicate="drop"
    )
)
LIMIT_BYTES = 1 << 30


def inspected_in_a_gibibyte(path: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """`tunedeck data inspect` where the process may not have more than 1 GiB of memory of its own, nor 60 s."""

    def bound() -> None:
        resource.setrlimit(resource.RLIMIT_DATA, (LIMIT_BYTES, LIMIT_BYTES))

    code = "from tunedeck.cli.main import app; app()"
    command = [sys.executable, "-c", code, "data", "inspect", str(path), "--json", *options]
    # mimalloc takes a gibibyte of addresses at the start.
    environment = {**os.environ, "ARROW_DEFAULT_MEMORY_POOL": "system", "OPENBLAS_NUM_THREADS": "1"}
    return subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=False, preexec_fn=bound, env=environment
    )


def sparse(path: Path, start: bytes, size_bytes: int) -> Path:
    """A file that begins with `start` and has `size_bytes`, hardly any of them on the disk."""
    with path.open("wb") as file:
        file.write(start)
        file.truncate(size_bytes)
    return path


@pytest.mark.parametrize("start", [b'[{"messages": "', b'{"messages": "', b'messages\n"'])
def test_four_gigabytes_of_one_line_are_refused_before_memory_is_full(tmp_path: Path, start: bytes) -> None:
    name = "data.csv" if start.startswith(b"m") else "data.json"
    done = inspected_in_a_gibibyte(sparse(tmp_path / name, start, 4 << 30))
    assert done.returncode == 1
    assert "Error: data." in done.stderr and "Traceback" not in done.stderr


def test_a_bomb_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bytestream, "_HARMLESS_BYTES", 1 << 20)
    content = (GOOD + "\n").encode() + b" " * (64 << 20) + b"\n"
    for name in ("data.jsonl.gz", "data.jsonl.zst", "data.parquet.gz"):
        with pytest.raises(DatasetInvalid, match="no text compresses like that"):
            scan(write(tmp_path, b"PAR1" + content if "parquet" in name else content, name))


def test_a_bomb_of_whole_rows_is_refused_long_before_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bytestream, "_HARMLESS_BYTES", 1 << 20)
    # Measured over the whole file, the noise at its end would hide it.
    bomb = (GOOD + "\n").encode() * (20 << 20 >> 7)
    noise = json.dumps({"prompt": "a", "completion": os.urandom(100_000).hex()}).encode() + b"\n"
    for name in ("data.jsonl.gz", "data.jsonl.zst"):
        path = write(tmp_path, bomb + noise * 5, name)
        with pytest.raises(DatasetInvalid, match=r"grow into 1?\d,\d{3},\d{3}: no text compresses like that"):
            scan(path)


def test_columns_that_name_one_text_without_end_are_refused_early(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(columnar, "_HARMLESS_BYTES", 8 << 20)
    texts = pa.DictionaryArray.from_arrays(pa.array([0] * 5000, pa.int32()), pa.array(["x" * (1 << 16)]))
    table = pa.table({"prompt": pa.array(["hi"] * 5000), "completion": texts})
    for schema in (True, False):
        pq.write_table(table, tmp_path / "data.parquet", compression="zstd", store_schema=schema)
        with pytest.raises(DatasetInvalid, match="no conversations repeat themselves like that"):
            scan(tmp_path / "data.parquet")


def test_a_small_file_of_columns_that_stands_for_gigabytes_is_refused(tmp_path: Path) -> None:
    texts = pa.DictionaryArray.from_arrays(pa.array([0] * 5000, pa.int32()), pa.array(["x" * (32 << 20)]))
    said = {"dictionary": "no conversations repeat themselves like that", "plain": "need more memory than there is"}
    for name, schema in (("dictionary", True), ("plain", False)):
        path = tmp_path / f"{name}.parquet"
        table = pa.table({"prompt": pa.array(["hi"] * 5000), "completion": texts})
        pq.write_table(table, path, compression="zstd", dictionary_pagesize_limit=1 << 30, store_schema=schema)
        assert path.stat().st_size < 10_000
        done = inspected_in_a_gibibyte(path)
        assert done.returncode == 1
        assert said[name] in done.stderr and "Traceback" not in done.stderr


def test_compressed_files_that_break_off_or_are_damaged_are_named(tmp_path: Path) -> None:
    rows = [{"messages": [HELLO[0], {"role": "assistant", "content": os.urandom(500).hex()}]} for _ in range(500)]
    for name in ("data.jsonl.gz", "data.jsonl.zst"):
        whole = write(tmp_path, rows, name).read_bytes()
        half = len(whole) // 2
        # zstd has no checksum unless it is asked for: a changed byte there is a changed text.
        changed = [whole[:half] + bytes(8) + whole[half + 8 :]] if name.endswith("gz") else []
        for broken in (whole[:half], *changed):
            with pytest.raises(DatasetInvalid, match=r"data is damaged near byte|not valid JSON|not UTF-8"):
                scan(write(tmp_path, broken, "upload"))


def test_ten_million_empty_rows_are_refused_in_bounds(tmp_path: Path) -> None:
    blank = gzip.compress((GOOD + "\n").encode() + b"\n" * 10_000_000, 1)
    (tmp_path / "blank.jsonl.gz").write_bytes(blank)
    assert inspect(tmp_path / "blank.jsonl.gz").num_rows == 1
    table = pa.table({"messages": pa.nulls(10_000_000, pa.list_(pa.string()))})
    pq.write_table(table, tmp_path / "empty.parquet")
    with pytest.raises(
        DatasetInvalid, match="none of its first 100,000 rows can be trained on; row 1: messages is null"
    ):
        scan(tmp_path / "empty.parquet")


@pytest.mark.parametrize("suffix", ["parquet", "arrow", "arrows"])
def test_a_file_of_columns_that_is_cut_or_changed_is_named(tmp_path: Path, suffix: str) -> None:
    rows = [{"messages": HELLO, "id": number} for number in range(6)]
    whole = write(tmp_path, rows, f"data.{suffix}").read_bytes()
    kinds = {"parquet": "Parquet", "arrow": "Arrow", "arrows": "Arrow"}
    for broken in (whole[:-20], whole[: len(whole) // 2], whole[:-12] + b"\xff\xff\xff\x7f" + whole[-8:]):
        if suffix == "arrows" and broken == whole[:-12] + b"\xff\xff\xff\x7f" + whole[-8:]:
            continue  # the end of a stream is not looked at
        with pytest.raises(DatasetInvalid, match=f"not a whole {kinds[suffix]} file"):
            scan(write(tmp_path, broken, "upload"))


def test_text_in_columns_that_is_not_utf8_is_a_fault_of_its_row(tmp_path: Path) -> None:
    texts = pa.array([b"good", b"b\xffd", b"fine"], pa.binary())
    table = pa.table({"prompt": pa.Array.from_buffers(pa.string(), 3, texts.buffers()), "completion": ["a", "b", "c"]})
    pq.write_table(table, tmp_path / "data.parquet")
    report = inspect(tmp_path / "data.parquet", DROP_ALL)
    assert {count.kind: count.rows for count in report.faults} == {"encoding": (2,)}
    assert report.num_trainable_rows == 2


_WORDS = """messages conversations role content from value prompt completion instruction output tools tool_calls
function name arguments weight history system images type text"""
_keys = st.sampled_from(_WORDS.split())
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_keys, inner, max_size=4),
    max_leaves=12,
)
_rows = st.lists(st.dictionaries(_keys, _JSON, max_size=4) | _JSON, max_size=4)
_seeds = [GOOD.encode(), f"[{GOOD}]".encode(), b'prompt,completion\r\n"a ""b""",c\n', gzip.compress(GOOD.encode())]


def _of_columns(new: Any) -> bytes:
    sink = io.BytesIO()
    table = pa.Table.from_pylist([{"messages": HELLO}] * 3)
    with new(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


_seeds += [_of_columns(pq.ParquetWriter), _of_columns(pa.ipc.new_file), _of_columns(pa.ipc.new_stream)]
_seeds += [pa.compress(GOOD.encode(), "zstd", asbytes=True)]


def _says_a_sentence_or_reads(path: Path) -> None:
    for reading in (Reading(), DROP_ALL):
        try:
            report = scan(path, reading)
        except DatasetInvalid as error:
            assert error.message.startswith(f"{path.name}") and error.mend
            error.message.encode()
        else:
            assert report.num_rows == report.num_trainable_rows + report.num_dropped_rows
            report.model_dump_json()


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(rows=_rows, lines=st.booleans())
def test_any_json_is_read_or_refused_with_a_sentence(tmp_path: Path, rows: list[Any], lines: bool) -> None:
    text = "\n".join(map(json.dumps, rows)) if lines else json.dumps(rows)
    _says_a_sentence_or_reads(write(tmp_path, text, "data.json"))


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    seed=st.sampled_from(_seeds),
    edits=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 4), st.binary(max_size=6)), max_size=4),
    name=st.sampled_from(["upload", "data.csv", "data.json"]),
)
@example(seed=b"", edits=[], name="data.csv")
@example(seed=b"\xef\xbb\xbf", edits=[], name="data.csv")
def test_any_bytes_are_read_or_refused_with_a_sentence(
    tmp_path: Path, seed: bytes, edits: list[tuple[float, int, bytes]], name: str
) -> None:
    for place, num_cut, put in edits:
        start = int(place * len(seed))
        seed = seed[:start] + put + seed[start + num_cut :]
    _says_a_sentence_or_reads(write(tmp_path, seed, name))


def test_a_row_that_never_ends_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (bytestream, json_array, json_lines):
        monkeypatch.setattr(module, "CHUNK_BYTES", 64)
    monkeypatch.setattr(json_lines, "_MOST_ROW_BYTES", 1000)
    monkeypatch.setattr(json_array, "_MOST_ROW_CHARS", 1000)
    monkeypatch.setattr(table_text, "_MOST_ROW_CHARS", 1000)
    for start, said in (('{"prompt": "', "longer than 1,000 bytes"), ('[{"prompt": "', "longer than 1,000 characters")):
        with pytest.raises(DatasetInvalid, match=said):
            scan(write(tmp_path, start + "a" * 100_000))
    try:
        with pytest.raises(DatasetInvalid, match="row 1: a quote is not closed, or a cell is longer"):
            scan(write(tmp_path, 'prompt,completion\n"' + "a\n" * 100_000, "data.csv"))
    finally:
        csv.field_size_limit(131_072)
