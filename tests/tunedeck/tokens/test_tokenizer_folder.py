"""What is said of a model folder whose tokenizer cannot be used."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tokenizers import Tokenizer

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


def test_a_tokenizer_that_asks_to_cut_off_and_to_pad_does_neither(tmp_path: Path) -> None:
    asking = write_tokenizer(tmp_path / "asking") / "tokenizer.json"
    tokenizer = Tokenizer.from_file(str(asking))
    tokenizer.enable_truncation(max_length=4)
    tokenizer.enable_padding(length=64)
    tokenizer.save(str(asking))
    texts = ["<|im_start|>user\nWhat is 2 plus 3?<|im_end|>\n", "Good!"]
    plain = write_tokenizer(tmp_path / "plain")
    expected, got = (ChatTokenizer.load(folder).encode(texts) for folder in (plain, asking.parent))
    assert [text.ids for text in got] == [text.ids for text in expected]
    assert len({len(text.ids) for text in expected}) == 2


def test_tokens_that_only_the_configuration_names_are_added(tmp_path: Path) -> None:
    folder = write_tokenizer(tmp_path)
    flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    change_config(folder, added_tokens_decoder={"320": {"content": "<think>", "special": False, **flags}})
    assert ChatTokenizer.load(folder).encode(["<think>"])[0].tokens == ["<think>"]
