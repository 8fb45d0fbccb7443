"""Tokens and masks equal those of the recipe's own way, worked out with transformers, whatever is written."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer

from bench.data.recipe_masks import RecipeMasks
from tests.support.random_conversations import TEXT, as_rows, conversations
from tests.support.tokenizers import QWEN3, needs_qwen3
from tunedeck.conversations import Conversation, Message
from tunedeck.spec import LossMaskType
from tunedeck.tokens import ChatTokenizer, LossMask, loss_mask, mark

KINDS: tuple[LossMaskType, ...] = ("qwen", "qwen3", "qwen3_5")
quickly = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@lru_cache
def recipe(folder: Path) -> RecipeMasks:
    return RecipeMasks(AutoTokenizer.from_pretrained(folder))


@lru_cache
def ours(folder: Path) -> ChatTokenizer:
    return ChatTokenizer.load(folder)


@lru_cache
def our_mask(folder: Path, kind: LossMaskType) -> LossMask:
    return loss_mask(kind, ours(folder))


def agree(folder: Path, kind: LossMaskType, conversation: Conversation) -> None:
    sample = mark(ours(folder), [our_mask(folder, kind)(conversation)])[0]
    ids, learned = recipe(folder).mask(kind, as_rows(conversation), list(conversation.tools) or None)
    assert sample.ids == ids
    assert [int(flag) for flag in sample.flags()] == learned


@needs_qwen3
@pytest.mark.parametrize("kind", KINDS)
@given(conversations(tools=True))
@quickly
def test_qwen3_with_tools_thoughts_and_system_prompts(kind: LossMaskType, conversation: Conversation) -> None:
    agree(QWEN3, kind, conversation)


@pytest.mark.parametrize("kind", KINDS)
@given(conversations(tools=False))
@quickly
def test_a_plain_template(chatml: Path, kind: LossMaskType, conversation: Conversation) -> None:
    agree(chatml, kind, conversation)


@given(conversations(tools=False))
@quickly
def test_qwen_under_a_template_with_a_default_system_prompt(system_chatml: Path, conversation: Conversation) -> None:
    agree(system_chatml, "qwen", conversation)


@needs_qwen3
@given(TEXT, TEXT, st.booleans())
@quickly
def test_distill_qwen_on_one_question_and_one_answer(question: str, answer: str, trained: bool) -> None:
    exchange = (Message("user", question, False), Message("assistant", answer, trained))
    agree(QWEN3, "distill_qwen", Conversation(exchange))


@needs_qwen3
def test_tools_that_answer_together_are_one_turn_under_qwen3() -> None:
    def tools(number: int) -> Iterator[Message]:
        return (Message("tool", str(n), False) for n in range(number))

    for number in (1, 2, 3):
        agree(QWEN3, "qwen3", Conversation((*tools(number), Message("assistant", "1", True), *tools(number))))
