"""`tunedeck data inspect` and `convert`: what a script and a person get, and the exit code."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from click.testing import Result
from transformers import PreTrainedTokenizerFast
from typer.testing import CliRunner

from tests.support.tokenizers import CHATML, train_tokenizer
from tests.tunedeck.conversations.files import HELLO, write
from tunedeck.cli.main import app


def data(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["data", *map(str, arguments)])


def test_inspect_prints_the_report_as_json(tmp_path: Path) -> None:
    path = write(tmp_path, [{"messages": HELLO}, {"messages": HELLO[:1]}, {"messages": HELLO}], "chats.jsonl.gz")
    result = data("inspect", path, "--json", "--policy", "duplicate=drop")
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert (report["format"], report["compression"], report["shape"], report["num_rows"]) == (
        "jsonl",
        "gzip",
        "messages",
        3,
    )
    assert [(fault["kind"], fault["num_rows"], fault["rows"]) for fault in report["faults"]] == [
        ("no_assistant_turn", 1, [2]),
        ("duplicate", 1, [3]),
    ]
    assert (report["num_trainable_rows"], report["chars"]["maximum"]) == (1, 7)


def test_a_file_that_would_be_refused_is_shown_whole_with_exit_code_1(tmp_path: Path) -> None:
    rows = [{"messages": [{"role": "oracle", "content": "hm"}]}, {"messages": HELLO}]
    result = data("inspect", write(tmp_path, rows, "chats.jsonl"))
    assert result.exit_code == 1
    assert "2 rows: 1 can be trained" in result.stdout
    assert "unknown_role      1 rows, fail: 1" in result.stdout
    assert 'row 1: unknown role "oracle"; use one of' in result.stdout
    assert data("inspect", tmp_path / "chats.jsonl", "--role", "oracle=assistant").exit_code == 0


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--policy", "duplicate", "'duplicate' is no pair"),
        ("--policy", "duplicate=burn", "policy.duplicate = 'burn'"),
        ("--column", "chat=messages", "columns.chat"),
        ("--shape", "round", "shape = 'round'"),
    ],
)
def test_an_option_that_is_wrong_is_named(tmp_path: Path, option: str, value: str, said: str) -> None:
    result = data("inspect", write(tmp_path, [{"messages": HELLO}]), option, value)
    assert (result.exit_code, said in result.stderr) == (1, True), result.stderr


def test_with_a_model_lengths_are_in_tokens_too(tmp_path: Path) -> None:
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=train_tokenizer(), eos_token="<|im_end|>")
    tokenizer.chat_template = CHATML
    tokenizer.save_pretrained(tmp_path / "model")
    path = write(tmp_path, [{"messages": HELLO * 9}, {"messages": HELLO}])
    options = ("--model", tmp_path / "model", "--max-tokens", "40", "--policy", "overlong=drop", "--json")
    report = json.loads(data("inspect", path, *options).stdout)
    ids = tokenizer.apply_chat_template(HELLO, tokenize=True, return_dict=False)
    assert report["tokens"]["maximum"] == len(ids)
    assert [(fault["kind"], fault["rows"]) for fault in report["faults"]] == [("overlong", [1])]
    assert "nobody counts tokens" in data("inspect", path, "--max-tokens", "40").stderr


def test_convert_writes_messages(tmp_path: Path) -> None:
    path = write(tmp_path, [{"chat": [{"from": "human", "value": "hi"}, {"from": "gpt", "value": "hello"}]}])
    result = data("convert", path, tmp_path / "out.parquet", "--column", "conversations=chat")
    assert result.exit_code == 0, result.output
    assert "1 conversations from sharegpt" in result.stdout
    assert pq.read_table(tmp_path / "out.parquet").to_pylist() == [{"messages": HELLO}]


def test_without_the_extra_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("tunedeck.conversations.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    result = data("inspect", write(tmp_path, "{}"))
    assert result.exit_code == 1
    assert 'pip install "tunedeck[data]"' in result.stderr
