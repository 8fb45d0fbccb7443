"""Conversion to messages Parquet: the recipe's own result, nothing lost, and the fast way and the slow way the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.tunedeck.conversations.files import HELLO, read, write
from tunedeck.conversations import Reading
from tunedeck.conversations import convert as convert_module
from tunedeck.conversations.convert import convert
from tunedeck.conversations.files import pieces
from tunedeck.errors import BadInput, DatasetInvalid

Row = dict[str, Any]


def openhermes(num: int) -> list[Row]:
    roles = ["system", "human", "gpt", "human", "gpt"]
    return [
        {
            "conversations": [{"from": role, "value": f"{role} ä😀 {n}", "weight": None} for role in roles[n % 2 :]],
            "source": "airoboros" if n % 3 else None,
            "idx": str(n),
        }
        for n in range(num)
    ]


def as_the_recipe_does(row: Row) -> list[dict[str, str]]:
    """The `convert` of the recipe's script."""
    names = {"human": "user", "gpt": "assistant", "system": "system"}
    return [{"role": names[turn["from"]], "content": turn["value"]} for turn in row["conversations"]]


def messages_of(path: Path) -> list[Any]:
    return pq.read_table(path).column("messages").to_pylist()


@pytest.mark.parametrize("name", ["data.jsonl", "data.json", "data.parquet", "data.arrow", "data.jsonl.gz"])
def test_openhermes_becomes_what_the_recipes_own_script_writes(tmp_path: Path, name: str) -> None:
    rows = openhermes(50)
    done = convert(write(tmp_path, rows, name), tmp_path / "out.parquet")
    assert (done.shape, done.num_rows) == ("sharegpt", 50)
    assert messages_of(tmp_path / "out.parquet") == [as_the_recipe_does(row) for row in rows]
    assert pq.read_schema(tmp_path / "out.parquet").names == ["messages"]


@pytest.mark.parametrize("indent", [None, 1, 4])
@pytest.mark.parametrize("block_bytes", [100, 700, 4 << 20])
def test_an_array_is_cut_only_between_its_elements(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, indent: int | None, block_bytes: int
) -> None:
    monkeypatch.setattr(pieces, "_BLOCK_BYTES", block_bytes)
    for first_key in ("id", "from"):  # "from" is also the first key of each turn
        rows = [{first_key: str(n), **row} for n, row in enumerate(openhermes(20))]
        path = write(tmp_path, json.dumps(rows, indent=indent))
        convert(path, tmp_path / "out.parquet")
        assert messages_of(tmp_path / "out.parquet") == [as_the_recipe_does(row) for row in rows]
        (tmp_path / "out.parquet").unlink()
        broken = write(tmp_path, json.dumps(rows, indent=indent)[:-1])
        with pytest.raises(DatasetInvalid, match="row 20: the file ends inside the array"):
            convert(broken, tmp_path / "out.parquet")


def test_a_line_end_inside_a_text_is_a_fault_in_an_array_too(tmp_path: Path) -> None:
    text = json.dumps(openhermes(20), indent=2).replace("gpt \\u00e4", "gpt \n")
    with pytest.raises(DatasetInvalid, match="row 1: not valid JSON"):
        convert(write(tmp_path, text), tmp_path / "out.parquet")


def test_an_unknown_role_is_an_error_that_names_the_row_and_leaves_nothing(tmp_path: Path) -> None:
    rows = openhermes(30)
    rows[20]["conversations"][1]["from"] = "oracle"
    with pytest.raises(DatasetInvalid, match=r'data.jsonl, row 21: unknown role "oracle"'):
        convert(write(tmp_path, rows, "data.jsonl"), tmp_path / "out.parquet")
    assert [path.name for path in tmp_path.iterdir()] == ["data.jsonl"]


def test_what_roles_and_texts_do_not_say_is_kept_too(tmp_path: Path) -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "add", "arguments": '{"a": 1}'}}
    tool = {"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}}
    rows = [
        {"messages": HELLO},
        {
            "messages": [
                HELLO[0],
                {"role": "assistant", "content": "", "tool_calls": [call], "reasoning_content": "hm"},
                {"role": "tool", "content": "2", "tool_call_id": "c1", "name": "add"},
                {**HELLO[1], "weight": 0},
                {**HELLO[1], "weight": 0.1},
                *HELLO,
            ],
            "tools": [tool],
        },
    ]
    path = write(tmp_path, rows, "data.jsonl")
    convert(path, tmp_path / "out.parquet")
    assert read(tmp_path / "out.parquet") == read(path)


def test_a_file_that_exists_is_not_written_over(tmp_path: Path) -> None:
    path = write(tmp_path, openhermes(1), "data.jsonl")
    with pytest.raises(BadInput, match="exists already"):
        convert(path, path)
    with pytest.raises(BadInput, match="there is no folder"):
        convert(path, tmp_path / "none" / "out.parquet")


_texts = st.text(max_size=6) | st.sampled_from(["\0", "\ud800", "null", "2026-01-01", "1"])
_values = _texts | st.sampled_from([None, 3, [{"type": "text", "text": "part"}]])
_turns = st.fixed_dictionaries(
    {"from": st.sampled_from(["human", "gpt", "system", "human", "gpt", "oracle", "function_call"]), "value": _values},
    optional={"weight": st.sampled_from([None, 0, 1, 0.1]), "id": st.integers(), "name": st.none() | _texts},
)
_rows = st.fixed_dictionaries(
    {"conversations": st.lists(_turns, max_size=4)},
    optional={"system": st.none() | _texts, "source": _values, "tools": st.sampled_from([None, "", "[]"])},
)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(_rows, min_size=1, max_size=4),
    escaped=st.booleans(),
    layout=st.sampled_from(["lines", "array", "indented"]),
)
def test_columns_and_rows_give_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: list[Row], escaped: bool, layout: str
) -> None:
    text = json.dumps(rows, ensure_ascii=escaped, indent=2 if layout == "indented" else None)
    if layout == "lines":
        text = "\n".join(json.dumps(row, ensure_ascii=escaped) for row in rows)
    path = write(tmp_path, text.encode(errors="surrogatepass"), "data.json")
    as_columns = _converted(path)
    with monkeypatch.context() as patch:
        patch.setattr(convert_module, "_plain_turns", lambda *_: None)
        assert _converted(path) == as_columns


def _converted(path: Path) -> Any:
    target = path.with_name("out.parquet")
    try:
        convert(path, target, Reading())
        return messages_of(target)
    except DatasetInvalid as error:
        return error.message
    finally:
        target.unlink(missing_ok=True)
