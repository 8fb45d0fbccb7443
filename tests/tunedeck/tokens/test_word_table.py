"""The quick way to tokens gives what the tokenizer gives, to the last token and mark."""

from __future__ import annotations

from array import array
from functools import lru_cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from tokenizers import Tokenizer, normalizers, pre_tokenizers
from tokenizers.models import WordPiece

from tests.support.random_conversations import TEXT, conversations
from tests.support.tokenizers import QWEN3, needs_qwen3
from tunedeck.conversations import Conversation
from tunedeck.demo.assets import BASE_FOLDER
from tunedeck.spec import LossMaskType
from tunedeck.tokens import ChatTokenizer, loss_mask
from tunedeck.tokens.marked import mark_by_offsets, mark_by_words
from tunedeck.tokens.word_table import WordTable

KINDS: tuple[LossMaskType, ...] = ("qwen", "qwen3", "qwen3_5", "distill_qwen")


@lru_cache
def loaded(folder: Path) -> tuple[Tokenizer, WordTable]:
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    table = WordTable.of(tokenizer)
    assert table
    return tokenizer, table


def assert_same(folder: Path, texts: list[str]) -> int:
    """Returns how many texts the table knew."""
    tokenizer, table = loaded(folder)
    encoded = tokenizer.encode_batch(texts, add_special_tokens=False)
    known = [
        (text, words, encoding.ids)
        for text, encoding in zip(texts, encoded, strict=True)
        if (words := table.words(text)) is not None
    ]
    for text, words, ids in known:
        assert table.tokens(words) == array("i", ids).tobytes(), ascii(text)
    return len(known)


@needs_qwen3
def test_every_character_of_the_basic_plane_and_the_emoji_is_cut_as_qwen3_cuts_it() -> None:
    _, table = loaded(QWEN3)
    characters = [chr(code) for code in (*range(0xD800), *range(0xE000, 0x10000), *range(0x1F300, 0x1FB00))]
    lines = [line for c in characters if table.words(line := f"a{c} {c}b1{c}\n")]
    assert len(lines) > 0.97 * len(characters)
    texts = ["".join(lines[start : start + 100]) for start in range(0, len(lines), 100)]
    assert assert_same(QWEN3, texts) == len(texts)


@pytest.mark.parametrize("folder", [BASE_FOLDER, pytest.param(QWEN3, marks=needs_qwen3)])
@given(text=TEXT)
@settings(max_examples=100, deadline=None)
def test_any_text(folder: Path, text: str) -> None:
    assert_same(folder, [text, f"...<|im_end|>{text}<|im_start|>{text}<|im_", f"<think>\n{text}\n</think>"])


@pytest.mark.parametrize("folder", [BASE_FOLDER, pytest.param(QWEN3, marks=needs_qwen3)])
@pytest.mark.parametrize("kind", KINDS)
@given(conversation=conversations(tools=True))
@settings(max_examples=25, deadline=None)
def test_any_conversation(folder: Path, kind: LossMaskType, conversation: Conversation) -> None:
    tokenizer, table = ChatTokenizer.load(folder) if folder == BASE_FOLDER else qwen3(), loaded(folder)[1]
    pieces = loss_mask(kind, tokenizer)(conversation)
    for piece, expected in zip(pieces, mark_by_offsets(tokenizer, pieces), strict=True):
        found = mark_by_words(table, piece)
        assert found is None or (found.tokens, found.learned) == (expected.tokens, expected.learned)
        assert found is None or found.at_most >= expected.at_most


@lru_cache
def qwen3() -> ChatTokenizer:
    return ChatTokenizer.load(QWEN3)


@needs_qwen3
def test_a_text_that_is_not_normalised_is_left_to_the_tokenizer() -> None:
    _, table = loaded(QWEN3)
    assert table.words("e\u0301") is None
    assert table.words("\u00e9") == ["\u00e9"]


def test_a_full_table_is_emptied_and_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tunedeck.tokens.word_table._MAX_WORDS", 8)
    assert assert_same(BASE_FOLDER, ["What is 12 plus 34?<|im_end|>", "It is 46. Is it so?", "What is 12?"]) == 3


def test_tokenizers_of_another_kind_have_no_table() -> None:
    tokenizer, _ = loaded(BASE_FOLDER)
    for change in ("lower", "prefix", "pieces"):
        other = Tokenizer.from_str(tokenizer.to_str())
        if change == "lower":
            other.normalizer = normalizers.Lowercase()
        elif change == "prefix":
            other.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
        else:
            other = Tokenizer(WordPiece({"a": 0, "[UNK]": 1}))
            other.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        assert WordTable.of(other) is None, change
