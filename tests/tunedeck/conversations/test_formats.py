"""Each format says the same; what is broken is named with row and value."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.tunedeck.conversations.files import GOOD, HELLO, HELLO_MESSAGES, read, write
from tunedeck.conversations import Conversation
from tunedeck.conversations import scan as scan_module
from tunedeck.conversations.files import bytestream, json_array, json_lines
from tunedeck.conversations.scan import inspect, scan
from tunedeck.errors import DatasetInvalid

FORMATS = {"json": "json", "jsonl": "jsonl", "csv": "csv", "parquet": "parquet", "arrow": "arrow", "arrows": "arrow"}
TOOL_TURN = {"conversations": [{"from": "human", "value": "hi"}, {"from": "function_call", "value": "{]"}]}


@pytest.mark.parametrize("compression", ["", ".gz", ".zst"])
@pytest.mark.parametrize("suffix", FORMATS)
def test_every_format_says_the_same(tmp_path: Path, suffix: str, compression: str) -> None:
    rows = [{"messages": [{"role": "user", "content": f'ä"€\n😀,{n}'}, HELLO[1]], "id": n} for n in range(5)]
    path = write(tmp_path, rows, f"data.{suffix}{compression}")
    assert read(path) == read(write(tmp_path, rows, "reference.jsonl"))
    report = inspect(path)
    known = {"": "none", ".gz": "gzip", ".zst": "zstd"}[compression]
    assert (report.format, report.compression, report.num_rows) == (FORMATS[suffix], known, 5)
    assert report.columns == ("messages", "id")


@pytest.mark.parametrize("suffix", ["json", "jsonl", "jsonl.gz", "jsonl.zst", "csv", "parquet", "arrow", "arrows"])
def test_progress_is_told_in_bytes_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str) -> None:
    monkeypatch.setattr(scan_module, "_ROWS_TOLD", 100)
    for module in (bytestream, json_array, json_lines):
        monkeypatch.setattr(module, "CHUNK_BYTES", 256)
    path = write(tmp_path, [{"prompt": f"{n}?", "completion": f"{n}!" * (n % 9)} for n in range(300)], f"data.{suffix}")
    told: list[tuple[int, int]] = []
    inspect(path, on_bytes=lambda done, total: told.append((done, total)))
    assert [total for _, total in told] == [path.stat().st_size] * 3
    done = [bytes_done for bytes_done, _ in told]
    assert 0 < done[-1] <= path.stat().st_size and done == sorted(done)


def test_the_bytes_tell_the_format_where_the_name_lies(tmp_path: Path) -> None:
    rows = [{"prompt": "hi", "completion": "hello"}]
    for suffix in FORMATS:
        lying = write(tmp_path, rows, f"data.{suffix}").rename(tmp_path / "upload")
        assert read(lying) == [Conversation(HELLO_MESSAGES)]


def test_an_indented_array_says_the_same(tmp_path: Path) -> None:
    path = write(tmp_path, json.dumps([{"messages": HELLO}, {"messages": HELLO}], indent=4))
    assert read(path) == [Conversation(HELLO_MESSAGES)] * 2


def test_blank_lines_a_byte_order_mark_and_windows_line_ends_are_no_fault(tmp_path: Path) -> None:
    path = write(tmp_path, b"\xef\xbb\xbf\r\n" + f"{GOOD}\r\n\r\n  {GOOD}\r\n\n".encode())
    assert read(path) == [Conversation(HELLO_MESSAGES)] * 2
    table = write(tmp_path, b"\xef\xbb\xbf\r\nprompt;completion\r\n\r\nhi;hello\r\n", "data.csv")
    assert read(table) == [Conversation(HELLO_MESSAGES)]


@pytest.mark.parametrize("name", ["data.json", "data.jsonl", "data.csv"])
def test_rows_and_characters_that_cross_the_window_are_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    for module in (bytestream, json_array, json_lines):
        monkeypatch.setattr(module, "CHUNK_BYTES", 7)
    rows = [{"prompt": "ä€😀" * n, "completion": '"[{,' * n + "\u2028"} for n in range(1, 30)]
    text = json.dumps(rows, ensure_ascii=False)
    if name.endswith("l"):
        text = "\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    found = read(write(tmp_path, rows if name.endswith("csv") else text, name))
    texts = [tuple(message.content for message in conversation.messages) for conversation in found if conversation]
    assert texts == [tuple(row.values()) for row in rows]


def test_columns_that_nobody_trains_on_are_not_read(tmp_path: Path) -> None:
    table = pa.table({"prompt": ["hi"], "completion": ["hello"], "embedding": pa.array([[1.5] * 9])})
    pq.write_table(table, tmp_path / "data.parquet")
    assert read(tmp_path / "data.parquet") == [Conversation(HELLO_MESSAGES)]
    assert inspect(tmp_path / "data.parquet").columns == ("prompt", "completion", "embedding")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "data.json: the file is empty"),
        (b" \n\t", "data.json: the file is empty"),
        (b"PAR1\xff\xfe", "data.json: not a whole Parquet file"),
        (b"ARROW1\0\0\xff\xfe", "data.json: not a whole Arrow file"),
        (b"PK\x03\x04rest", "data.json: is a zip archive"),
        (b"\x00\x01binary" * 9, "data.json: is neither text nor"),
        (GOOD.encode("utf-16"), "data.json: is UTF-16"),
        (GOOD.encode("utf-16-le"), "data.json: is UTF-16"),
        ("hello", "row 1: not valid JSON"),
        (f"{GOOD}\n{GOOD[:-9]}\n", "row 2: not valid JSON"),
        (f"[{GOOD}, {GOOD[:-9]}", "row 2: not valid JSON"),
        (f"[{GOOD}", "row 1: the file ends inside the array"),
        (f"[{GOOD}] x", "row 1: found 'x' after the end of the array"),
        (f"[{GOOD} {GOOD}]", "row 1: expected ',' or ']' after it, found '{'"),
        (f"[{GOOD},]", "row 2: not valid JSON"),
        (f"{GOOD}\n3", "row 2: 3 is not a JSON object"),
        (f'[{GOOD}, "text"]', 'row 2: "text" is not a JSON object'),
        (f"[{GOOD}, 12]", "row 2: 12 is not a JSON object"),
        ('{"messages": ' + "[" * 100_000, "row 1: not valid JSON"),
        ([{"text": "hi"}], 'row 1: no known shape of conversation in the keys ["text"]'),
        ([{"messages": HELLO}, {"prompt": "a", "completion": "b"}], "row 2: is prompt_completion"),
        ([{"messages": "hi"}], 'row 1: messages is "hi", not a list'),
        ([{"messages": [["user", "hi"]]}], 'row 1: ["user", "hi"] is not a message'),
        ([{"messages": [{"role": "user", "content": None}]}], "row 1: content is null, not text"),
        ([{"messages": [{"role": "user"}]}], 'row 1: a message of user has no "content"'),
        ([{"messages": [{"role": "oracle", "content": "hi"}]}], 'row 1: unknown role "oracle"'),
        ([{"messages": [{"role": ["user"], "content": "hi"}]}], 'row 1: role ["user"] is not text'),
        ([{"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}], "row 1: a content part that is not"),
        ([{"messages": [{**HELLO[1], "weight": -0.5}]}], "row 1: weight is -0.5"),
        ([{"messages": [{**HELLO[1], "loss_weight": 100.5}]}], "row 1: loss_weight is 100.5"),
        ([{"messages": [{**HELLO[1], "weight": 1e-7}]}], "row 1: weight is 1e-07"),
        ('{"messages": [{"role": "assistant", "content": "a", "weight": NaN}]}', "row 1: weight is NaN"),
        ([{"messages": [{**HELLO[1], "step_loss_mask": "1"}]}], 'row 1: step_loss_mask is "1"'),
        (
            [{"messages": [{**HELLO[1], "loss_weight": 0.5, "weight": 1}]}],
            "row 1: loss_weight is 0.5, but weight is 1",
        ),
        (
            [{"messages": [{**HELLO[1], "step_loss_mask": 0, "weight": 0.5}]}],
            "row 1: step_loss_mask is 0, but weight is 0.5",
        ),
        ([{"messages": [{"role": "user", "content": "\ud800"}]}], "row 1: content holds half of a surrogate pair"),
        ([{"messages": [{"role": "user", "content": "a\0"}]}], "row 1: content holds a NUL"),
        ([{"messages": [{"role": "\ud800", "content": ""}]}], 'row 1: unknown role "\\ud800"'),
        ([{"instruction": "a", "output": ["b"]}], 'row 1: a content part that is not text: "b"'),
        ([{"instruction": "a", "output": "b", "history": [["q"]]}], 'row 1: history holds ["q"]'),
        ([{"messages": HELLO, "images": ["a.png"]}], "row 1: images is set"),
        ([{"messages": [{**HELLO[0], "thinking": "hm"}]}], "row 1: a turn of user has reasoning"),
        ([{"messages": HELLO}, {"messages": [{**HELLO[1], "tool_calls": [1]}]}], "row 2: 1 is not a call of a tool"),
        ([TOOL_TURN], 'row 1: a call is not JSON: "{]"'),
        ([{"messages": HELLO, "tools": "[{]"}], "row 1: tools is not JSON"),
        ([{"messages": HELLO, "tools": [3]}], "row 1: tools is [3], not a list of tools"),
        ([], "data.json: holds no rows"),
        ([{"messages": HELLO[:1]}, {"messages": []}], "none of its 2 rows has an assistant turn to learn from"),
        ([{"prompt": "a", "completion": " "}], "none of its 1 rows has an assistant turn"),
    ],
)
def test_a_bad_file_is_named_with_row_and_value(tmp_path: Path, content: bytes | str | list[Any], said: str) -> None:
    path = write(tmp_path, content)
    with pytest.raises(DatasetInvalid) as caught:
        scan(path)
    assert said in caught.value.message
    assert caught.value.mend
    assert caught.value.problems[0].value == str(path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('prompt,completion\nhi,"hello\n', "row 1: a quote is not closed"),
        ('prompt,completion\nhi,hello\nhi,"hel"lo\n', "row 2: a quote is not closed or stands where none may"),
        ("prompt,completion\nhi,hello\nhi\n", 'row 2: has 1 cells, the header names 2: ["hi"]'),
        ("prompt,prompt\nhi,hello\n", "header: names a column twice"),
        ("prompt,completion\n", "holds no rows"),
        ("a,b\n1,2\n", 'row 1: no known shape of conversation in the keys ["a", "b"]'),
        (b"prompt,completion\nhi,hell\xf6\n", "not UTF-8 text near b'"),
        ('messages\n"[{""role"""\n', 'row 1: messages is not valid JSON: "[{'),
    ],
)
def test_a_bad_table_is_named_with_row_and_value(tmp_path: Path, content: bytes | str, said: str) -> None:
    with pytest.raises(DatasetInvalid) as caught:
        scan(write(tmp_path, content, "data.csv"))
    assert said in caught.value.message


def test_a_missing_file_or_a_folder_is_not_a_data_set(tmp_path: Path) -> None:
    for path in (tmp_path / "none.json", tmp_path):
        with pytest.raises(DatasetInvalid, match="there is no such file"):
            scan(path)
