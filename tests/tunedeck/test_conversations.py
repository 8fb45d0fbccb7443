"""Data sets as people have them: which are understood, and what is said of those that are not."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from tunedeck.conversations import Conversation, Message, read_conversations, rows, scan
from tunedeck.errors import DatasetInvalid

HELLO = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"}]
HELLO_MESSAGES = (Message("user", "hi", False), Message("assistant", "hello", True))


def write(folder: Path, content: bytes | str | list[Any], name: str = "data.json") -> Path:
    """A file of the given bytes, text, or rows as a JSON array (as one object a line where the name ends in l)."""
    path = folder / name
    if isinstance(content, list):
        lines = [json.dumps(row) for row in content]
        content = "\n".join(lines) if name.endswith("l") else json.dumps(content)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def conversations(path: Path) -> list[Conversation]:
    return [conversation for _, conversation in read_conversations(path)]


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"messages": HELLO, "id": 7}, HELLO_MESSAGES),
        (
            {"messages": [{"role": "user", "content": [{"type": "text", "text": "h"}, {"type": "text", "text": "i"}]}]},
            (Message("user", "hi", False),),
        ),
        (
            {"conversations": [{"from": "human", "value": "hi"}, {"from": "gpt", "value": "hello"}], "system": "Be."},
            (Message("system", "Be.", False), *HELLO_MESSAGES),
        ),
        ({"instruction": "hi", "input": "", "output": "hello"}, HELLO_MESSAGES),
        (
            {"instruction": "Add", "input": "1 2", "output": "3", "system": "Sum.", "history": [["hi", "hello"]]},
            (
                Message("system", "Sum.", False),
                *HELLO_MESSAGES,
                Message("user", "Add\n1 2", False),
                Message("assistant", "3", True),
            ),
        ),
        ({"prompt": "hi", "completion": "hello"}, HELLO_MESSAGES),
        (
            {"prompt": HELLO, "completion": [{"role": "assistant", "content": "more"}]},
            (Message("user", "hi", False), Message("assistant", "hello", False), Message("assistant", "more", True)),
        ),
    ],
)
def test_each_shape_becomes_messages(tmp_path: Path, row: dict[str, Any], expected: tuple[Message, ...]) -> None:
    assert conversations(write(tmp_path, [row])) == [Conversation(expected)]


@pytest.mark.parametrize("key", ["step_loss_mask", "loss_weight", "weight"])
def test_a_message_of_weight_zero_is_not_trained(tmp_path: Path, key: str) -> None:
    path = write(tmp_path, [{"messages": [HELLO[0], {**HELLO[1], key: 0}, HELLO[0], {**HELLO[1], key: 1}]}])
    assert [message.trained for message in conversations(path)[0].messages] == [False, False, False, True]


def test_json_and_jsonl_say_the_same(tmp_path: Path) -> None:
    content = [{"messages": HELLO}, {"messages": [*HELLO, *HELLO]}]
    array, lines = write(tmp_path, content), write(tmp_path, content, "data.jsonl")
    assert conversations(array) == conversations(lines)
    indented = write(tmp_path, json.dumps(content, indent=4), "indented.json")
    assert conversations(indented) == conversations(lines)


def test_blank_lines_a_byte_order_mark_and_windows_line_ends_are_no_fault(tmp_path: Path) -> None:
    line = json.dumps({"messages": HELLO})
    path = write(tmp_path, b"\xef\xbb\xbf\r\n" + f"{line}\r\n\r\n  {line}\r\n\n".encode())
    assert conversations(path) == [Conversation(HELLO_MESSAGES)] * 2


@pytest.mark.parametrize("name", ["data.json", "data.jsonl"])
def test_rows_and_characters_that_cross_the_window_are_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(rows, "_CHUNK_BYTES", 7)
    content = [{"prompt": "ä€😀" * n, "completion": '"[{,' * n + "\u2028"} for n in range(1, 30)]
    text = json.dumps(content, ensure_ascii=False)
    if name.endswith("l"):
        text = "\n".join(json.dumps(row, ensure_ascii=False) for row in content)
    read = conversations(write(tmp_path, text, name))
    texts = [tuple(message.content for message in conversation.messages) for conversation in read]
    assert texts == [tuple(row.values()) for row in content]


TOOL_TURN = {"conversations": [{"from": "human", "value": "hi"}, {"from": "function_call", "value": "{}"}]}
GOOD = json.dumps({"messages": HELLO})


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "data.json: the file is empty"),
        (b" \n\t", "data.json: the file is empty"),
        (b"PAR1\xff\xfe", "near byte 4: not UTF-8"),
        ("hello", "row 1: not valid JSON"),
        (f"{GOOD}\n{GOOD[:-9]}\n", "row 2: not valid JSON"),
        (f"[{GOOD}, {GOOD[:-9]}", "row 2: not valid JSON"),
        (f"[{GOOD}", "row 1: the file ends inside the array"),
        (f"[{GOOD}] x", "row 1: found 'x' after the end of the array"),
        (f"[{GOOD} {GOOD}]", "row 1: expected ',' or ']' after it, found '{'"),
        (f"{GOOD}\n3", "row 2: 3 is not a JSON object"),
        (f'[{GOOD}, "text"]', 'row 2: expected an object, found "\\"text\\"]"'),
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
        ([{"messages": [{**HELLO[1], "weight": 0.5}]}], "row 1: weight is 0.5"),
        ([{"messages": [{"role": "user", "content": "\ud800"}]}], "row 1: content holds half of a surrogate pair"),
        ([{"messages": [{"role": "\ud800", "content": ""}]}], 'row 1: unknown role "\\ud800"'),
        ([{"instruction": "a", "output": ["b"]}], 'row 1: a content part that is not text: "b"'),
        ([{"instruction": "a", "output": "b", "history": [["q"]]}], 'row 1: history holds ["q"]'),
        ([{"messages": HELLO}, {"messages": [{**HELLO[1], "tool_calls": [1]}]}], "row 2: tool_calls is set"),
        ([{"messages": [{**HELLO[1], "reasoning_content": "hm"}]}], "row 1: reasoning_content is set"),
        ([TOOL_TURN], 'row 1: a turn of "function_call": tool calls cannot be trained yet'),
        ([{"messages": HELLO, "tools": [{}]}], "row 1: tools is set"),
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


def test_a_missing_file_or_a_folder_is_not_a_data_set(tmp_path: Path) -> None:
    for path in (tmp_path / "none.json", tmp_path):
        with pytest.raises(DatasetInvalid, match="there is no such file"):
            scan(path)


def test_a_row_that_never_ends_is_refused_before_memory_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "_CHUNK_BYTES", 64)
    monkeypatch.setattr(rows, "_MAX_ROW_CHARS", 1000)
    for start in ('{"prompt": "', '[{"prompt": "'):
        with pytest.raises(DatasetInvalid, match="row 1: not valid JSON, or longer than 1,000 characters"):
            scan(write(tmp_path, start + "a" * 100_000))


def test_a_scan_counts_rows_and_those_that_can_be_learned(tmp_path: Path) -> None:
    long = [HELLO[0], {"role": "assistant", "content": "x" * 10_000}]
    path = write(tmp_path, [{"messages": HELLO}, {"messages": HELLO[:1]}, {"messages": []}, {"messages": long}] * 2)
    report = scan(path)
    assert (report.shape, report.num_rows, report.num_trainable_rows) == ("messages", 8, 4)
    assert report.size_bytes == path.stat().st_size
    assert report.content_sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert len(report.sample) == 5
    assert report.sample[0] == {
        "messages": [
            {"role": "user", "content": "hi", "trained": False},
            {"role": "assistant", "content": "hello", "trained": True},
        ]
    }
    assert len(report.sample[3]["messages"][1]["content"]) == 4001
