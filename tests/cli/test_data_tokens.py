"""`tunedeck data tokens`: the tokens of one row, without a service."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from tunedeck.cli.main import app
from tunedeck.demo.assets import BASE_FOLDER


@pytest.fixture
def data(tmp_path: Path) -> Path:
    file = tmp_path / "data.jsonl"
    rows = [
        {"prompt": "1?", "completion": "It is 3."},
        {"prompt": "é", "completion": "1"},
        {"prompt": "1", "completion": ""},
    ]
    file.write_text("\n".join(map(json.dumps, rows)))
    return file


def tokens(data: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["data", "tokens", str(data), "--model", str(BASE_FOLDER), *arguments])


@pytest.mark.parametrize(("kind", "num_ends"), [("qwen", 2), ("qwen3", 2), ("qwen3_5", 2), ("distill_qwen", 0)])
def test_json_is_a_list_of_id_text_and_trained(data: Path, kind: str, num_ends: int) -> None:
    result = tokens(data, "--row", "1", "--loss-mask-type", kind, "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    learned = "".join(token["text"] for token in found if token["trained"])
    assert learned == "It is 3." + ("<|im_end|>\n" if num_ends else "")
    assert [token["id"] for token in found][:3] == [1, 597, 201]
    assert found[0] == {"id": 1, "text": "<|im_start|>", "trained": False, "differs": False}


def test_json_has_the_weight_of_a_token_where_it_is_not_one(tmp_path: Path) -> None:
    file = tmp_path / "data.jsonl"
    answers = [{"role": "assistant", "content": "1", "weight": weight} for weight in (1, 0.25, 0)]
    file.write_text(json.dumps({"messages": [{"role": "user", "content": "é"}, *answers]}))
    found = json.loads(tokens(file, "--row", "1", "--json").stdout)
    assert {(token["trained"], token.get("weight")) for token in found} == {(True, None), (True, 0.25), (False, None)}


def test_for_people_what_is_trained_is_marked_and_compared_with_the_template(data: Path) -> None:
    output = tokens(data, "--row", "1").stdout
    assert "assistant\n⟦It is 3.<|im_end|>\n⟧" in output
    assert "8 of them trained" in output
    assert "the chat template writes the conversation with the same tokens" in output
    missing = tokens(data, "--row", "1", "--loss-mask-type", "distill_qwen").stdout
    assert "only in the chat template: '<|im_end|>\\n'" in missing


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--row", "9"), "data.jsonl has fewer than 9 rows"),
        (("--row", "3"), "row 3 of data.jsonl is not trained"),
        (("--row", "1", "--loss-mask-type", "gpt"), "no loss mask 'gpt'"),
    ],
)
def test_a_mistake_is_told(data: Path, arguments: tuple[str, ...], told: str) -> None:
    result = tokens(data, *arguments)
    assert result.exit_code == 1
    assert told in result.stderr
