"""Which tokens are learned: against lists worked out by hand and against transformers' own rendering."""

from __future__ import annotations

from pathlib import Path

import pytest
from transformers import AutoTokenizer

from tests.support.tokenizers import QWEN3, needs_qwen3, write_tokenizer
from tunedeck.conversations import Conversation, Message
from tunedeck.errors import SpecInvalid
from tunedeck.spec import LossMaskType
from tunedeck.tokens import ChatTokenizer, loss_mask, mark, text_of, writes_like_the_template

# Token ids of Qwen3: <|im_start|>, <|im_end|>, newline, two newlines, <think>, </think>
START, END, NL, NL2, THINK, UNTHINK = 151644, 151645, 198, 271, 151667, 151668
SYSTEM, USER, ASSISTANT, HI, HELLO = 8948, 872, 77091, 13048, 9707
ALTERNATING = (
    "{% if messages[0].role == 'assistant' %}{{ raise_exception('the user speaks first') }}{% endif %}"
    "{% for m in messages %}{% if m.role == 'user' %}[INST] {{ m.content }} [/INST]"
    "{% else %} {{ m.content }}<|im_end|>{% endif %}{% endfor %}"
)


def user(text: str) -> Message:
    return Message("user", text, False)


def assistant(text: str, *, trained: bool = True) -> Message:
    return Message("assistant", text, trained)


def system(text: str) -> Message:
    return Message("system", text, False)


def masked(folder: Path, kind: LossMaskType, conversation: tuple[Message, ...]) -> list[tuple[int, bool]]:
    """(token, learned) pairs of a conversation."""
    tokenizer = ChatTokenizer.load(folder)
    sample = mark(tokenizer, [loss_mask(kind, tokenizer)(Conversation(conversation))])[0]
    return list(zip(sample.ids, sample.flags(), strict=True))


def learned_text(folder: Path, kind: LossMaskType, conversation: tuple[Message, ...]) -> str:
    tokens = [token for token, learned in masked(folder, kind, conversation) if learned]
    text: str = AutoTokenizer.from_pretrained(folder).decode(tokens)
    return text


def silent(*tokens: int) -> list[tuple[int, bool]]:
    return [(token, False) for token in tokens]


def learned(*tokens: int) -> list[tuple[int, bool]]:
    return [(token, True) for token in tokens]


@needs_qwen3
def test_qwen_learns_each_answer_behind_its_header_by_hand() -> None:
    conversation = (system("Hi"), user("Hi"), assistant("Hello"), user("Hi"), assistant("Hi", trained=False))
    assert masked(QWEN3, "qwen", conversation) == [
        *silent(START, SYSTEM, NL, HI, END, NL),
        *silent(START, USER, NL, HI, END, NL),
        *silent(START, ASSISTANT, NL),
        *learned(HELLO, END, NL),
        *silent(START, USER, NL, HI, END, NL),
        *silent(START, ASSISTANT, NL, HI, END, NL),
    ]


@needs_qwen3
def test_qwen3_writes_every_answer_as_the_last_one_and_learns_its_empty_thoughts() -> None:
    conversation = (user("Hi"), assistant("Hello"), user("Hi"), assistant("Hi"))
    assert masked(QWEN3, "qwen3", conversation) == [
        *silent(START, USER, NL, HI, END, NL),
        *silent(START, ASSISTANT, NL),
        *learned(THINK, NL2, UNTHINK, NL2, HELLO, END, NL),
        *silent(START, USER, NL, HI, END, NL),
        *silent(START, ASSISTANT, NL),
        *learned(THINK, NL2, UNTHINK, NL2, HI, END, NL),
    ]


@needs_qwen3
def test_qwen3_keeps_thoughts_that_are_written_out() -> None:
    conversation = (user("Hi"), assistant("<think>\nHello\n</think>\n\nHi"))
    assert masked(QWEN3, "qwen3", conversation)[9:] == learned(THINK, NL, HELLO, NL, UNTHINK, NL2, HI, END, NL)


@needs_qwen3
def test_distill_qwen_learns_only_the_last_answer() -> None:
    conversation = (user("Hi"), assistant("Hello"), user("Hi"), assistant("Hello"))
    assert masked(QWEN3, "distill_qwen", conversation) == [
        *silent(START, USER, NL, HI, END, NL),
        *silent(START, ASSISTANT, NL, HELLO, END, NL),
        *silent(START, USER, NL, HI, END, NL),
        *silent(START, ASSISTANT, NL),
        *learned(HELLO),
    ]
    assert not any(is_learned for _, is_learned in masked(QWEN3, "distill_qwen", conversation[:3]))


@needs_qwen3
def test_a_newline_that_merges_with_the_header_belongs_to_the_header() -> None:
    tokens = masked(QWEN3, "qwen", (user("Hi"), assistant("\nHello")))
    assert tokens[6:] == [*silent(START, ASSISTANT, NL2), *learned(HELLO, END, NL)]


@needs_qwen3
@pytest.mark.parametrize("kind", ["qwen", "qwen3"])
def test_a_single_exchange_is_written_as_transformers_writes_it(kind: LossMaskType) -> None:
    conversation = (system("Be brief. 你好 😀"), user(" two  spaces\n"), assistant("naïve\n\n\tcode 🙂 "))
    plain = [{"role": message.role, "content": message.content} for message in conversation]
    tokenizer = AutoTokenizer.from_pretrained(QWEN3)
    expected = tokenizer.apply_chat_template(plain, tokenize=True, return_dict=False)
    if kind == "qwen":
        # The template thinks before the last answer; `qwen` writes an answer as it stands alone.
        thought = tokenizer.encode("<think>\n\n</think>\n\n", add_special_tokens=False)
        at = next(i for i in range(len(expected)) if expected[i : i + len(thought)] == thought)
        expected = expected[:at] + expected[at + len(thought) :]
    assert [token for token, _ in masked(QWEN3, kind, conversation)] == expected


@pytest.mark.parametrize("opening", [(), (system("Be brief."),)])
def test_a_default_system_prompt_is_written_once(system_chatml: Path, opening: tuple[Message, ...]) -> None:
    conversation = (*opening, user("What is 1 plus 2?"), assistant("It is 3."), user("Good!"), assistant("You help."))
    tokenizer = ChatTokenizer.load(system_chatml)
    mask = loss_mask("qwen", tokenizer)
    assert text_of(mask(Conversation(conversation))) == tokenizer.render(conversation)
    assert tokenizer.render(conversation).count("system\n") == 1
    assert learned_text(system_chatml, "qwen", conversation) == "It is 3.<|im_end|>\nYou help.<|im_end|>\n"
    assert writes_like_the_template(mask, tokenizer)


def test_an_answer_without_a_question_is_learned_behind_the_default_system_prompt(system_chatml: Path) -> None:
    assert learned_text(system_chatml, "qwen", (assistant("It is 3."),)) == "It is 3.<|im_end|>\n"


@needs_qwen3
def test_it_is_told_when_training_sees_another_text_than_inference() -> None:
    tokenizer = ChatTokenizer.load(QWEN3)
    assert not writes_like_the_template(loss_mask("qwen", tokenizer), tokenizer)


def test_a_template_that_the_mask_does_not_fit_is_refused_with_the_one_that_fits(tmp_path: Path) -> None:
    folder = write_tokenizer(tmp_path, ALTERNATING)
    tokenizer = ChatTokenizer.load(folder)
    kinds: tuple[LossMaskType, ...] = ("qwen", "qwen3")
    for kind in kinds:
        with pytest.raises(SpecInvalid) as caught:
            loss_mask(kind, tokenizer)
        assert caught.value.problems[0].field == "data.loss_mask_type"
        assert "distill_qwen" in caught.value.mend
    conversation = (user("What is 1?"), assistant("It is 1."), user("Good!"), assistant("You help."))
    assert learned_text(folder, "distill_qwen", conversation) == "You help."


def test_think_blocks_that_the_template_opens_are_not_opened_twice(tmp_path: Path) -> None:
    thinking = ALTERNATING + "{% if add_generation_prompt %} <think>\n{% endif %}"
    tokenizer = ChatTokenizer.load(write_tokenizer(tmp_path, thinking))
    rendering = loss_mask("distill_qwen", tokenizer)(Conversation((user("1?"), assistant("<think>\nOne.</think>1"))))
    assert text_of(rendering) == "[INST] 1? [/INST] <think>\nOne.</think>1"
