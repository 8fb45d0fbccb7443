"""What is said of a model folder whose tokenizer cannot be used."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.tokenizers import write_tokenizer
from tunedeck.errors import ModelInvalid
from tunedeck.tokens import ChatTokenizer


def change_config(folder: Path, **changes: object) -> None:
    file = folder / "tokenizer_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def test_a_tokenizer_without_a_chat_template_is_refused(tmp_path: Path) -> None:
    change_config(write_tokenizer(tmp_path), chat_template=None)
    with pytest.raises(ModelInvalid, match="no chat template") as caught:
        ChatTokenizer.load(tmp_path)
    assert "chat_template.jinja" in caught.value.mend


def test_a_folder_without_a_tokenizer_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelInvalid, match=r"has no tokenizer\.json"):
        ChatTokenizer.load(tmp_path)


def test_a_tokenizer_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    file = write_tokenizer(tmp_path) / "tokenizer.json"
    file.write_text(file.read_text()[:500])
    with pytest.raises(ModelInvalid, match="cannot be loaded"):
        ChatTokenizer.load(tmp_path)


def test_a_template_that_is_no_jinja_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelInvalid, match="not valid Jinja"):
        ChatTokenizer.load(write_tokenizer(tmp_path, "{% for message in messages %}"))
