"""Which tokens are learned: against lists worked out by hand and against transformers' own rendering."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from transformers import AutoTokenizer

from tests.support.random_conversations import conversations
from tests.support.tokenizers import QWEN3, needs_qwen3, write_tokenizer
from tunedeck.conversations import Conversation, Message, ToolCall
from tunedeck.demo.assets import BASE_FOLDER
from tunedeck.errors import SpecInvalid
from tunedeck.spec import LossMaskType
from tunedeck.tokens import ChatTokenizer, TemplateUnfit, loss_mask, mark, text_of, writes_like_the_template

# Token ids of Qwen3: <|im_start|>, <|im_end|>, newline, two newlines, <think>, </think>
START, END, NL, NL2, THINK, UNTHINK = 151644, 151645, 198, 271, 151667, 151668
SYSTEM, USER, ASSISTANT, HI, HELLO, NI_HAO = 8948, 872, 77091, 13048, 9707, 108386
TOOL_CALL, UNTOOL_CALL, RESPONSE, UNRESPONSE = 151657, 151658, 151665, 151666
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
def test_qwen3_5_follows_the_template_and_learns_behind_the_opened_thoughts() -> None:
    conversation = (user("Hi"), assistant("Hello"), user("Hi"), assistant("你好"))
    assert masked(QWEN3, "qwen3_5", conversation) == [
        *silent(START, USER, NL, HI, END, NL),
        # The template thinks only in the last answer; the two newlines are one token, which reaches into the answer.
        *silent(START, ASSISTANT, NL),
        *learned(HELLO, END, NL),
        *silent(START, USER, NL, HI, END, NL),
        *silent(START, ASSISTANT, NL, THINK),
        *learned(NL2, UNTHINK, NL2, NI_HAO, END, NL),
    ]


@needs_qwen3
def test_qwen3_5_learns_thoughts_but_not_the_newline_that_opens_them() -> None:
    conversation = (user("Hi"), Message("assistant", "Hi", True, reasoning_content="Hello"))
    assert masked(QWEN3, "qwen3_5", conversation)[9:] == [
        *silent(THINK, NL),
        *learned(HELLO, NL, UNTHINK, NL2, HI, END, NL),
    ]


@needs_qwen3
def test_qwen_leaves_thoughts_out_of_an_answer_that_stands_alone() -> None:
    conversation = (user("Hi"), assistant("<think>\nHello\n</think>\n\nHi"))
    assert masked(QWEN3, "qwen", conversation)[9:] == learned(HI, END, NL)


@needs_qwen3
@pytest.mark.parametrize("kind", ["qwen", "qwen3"])
def test_tool_calls_are_learned_and_their_results_are_not(kind: LossMaskType) -> None:
    call = Message("assistant", "", True, tool_calls=(ToolCall("add", {"a": 1}),))
    result = Message("tool", "3", False)
    call_tokens = (TOOL_CALL, NL, 4913, 606, 788, 330, 718, 497, 330, 16370, 788, 5212, 64, 788, 220, 16, 11248)
    thought = (THINK, NL2, UNTHINK, NL2) if kind == "qwen3" else ()
    assert masked(QWEN3, kind, (user("Hi"), call, result, assistant("Hi"))) == [
        *silent(START, USER, NL, HI, END, NL),
        *silent(START, ASSISTANT, NL),
        *learned(*thought, *call_tokens, UNTOOL_CALL, END, NL),
        *silent(START, USER, NL, RESPONSE, NL, 18, NL, UNRESPONSE, END, NL),
        *silent(START, ASSISTANT, NL),
        *learned(*thought, HI, END, NL),
    ]


@needs_qwen3
def test_tools_are_written_once_before_the_first_message() -> None:
    tools = ({"type": "function", "function": {"name": "add"}},)
    tokenizer = ChatTokenizer.load(QWEN3)
    conversation = Conversation((system("Hi"), user("Hi"), assistant("Hello")), tools)
    whole = tokenizer.render(conversation.messages, tools)
    for kind, answer in (("qwen", "Hello"), ("qwen3", "<think>\n\n</think>\n\nHello")):
        first, *rest = loss_mask(kind, tokenizer)(conversation)
        assert whole.startswith(first.text)
        assert [piece.text[start:stop] for piece in rest for start, stop, _ in piece.learned] == [
            f"{answer}<|im_end|>\n"
        ]


# Token ids of the demo's tokenizer, so that these lists are checked everywhere.
D_START, D_END, D_NL, D_USER, D_ASSISTANT, D_SPACE = 1, 2, 201, 597, 598, 223
D_IT_IS_3, D_ONE, D_QUESTION = (43, 86, 290, 223, 21, 16), 19, 33


@pytest.mark.parametrize("kind", ["qwen", "qwen3", "qwen3_5"])
def test_the_demo_learns_each_answer_by_hand(kind: LossMaskType) -> None:
    conversation = (user("1?"), assistant("It is 3."), user("1?"), assistant("é", trained=False), assistant("1"))
    assert masked(BASE_FOLDER, kind, conversation) == [
        *silent(D_START, D_USER, D_NL, D_ONE, D_QUESTION, D_END, D_NL),
        *silent(D_START, D_ASSISTANT, D_NL),
        *learned(*D_IT_IS_3, D_END, D_NL),
        *silent(D_START, D_USER, D_NL, D_ONE, D_QUESTION, D_END, D_NL),
        *silent(D_START, D_ASSISTANT, D_NL, 130, 105, D_END, D_NL),
        *silent(D_START, D_ASSISTANT, D_NL),
        *learned(D_ONE, D_END, D_NL),
    ]


def test_the_demo_learns_the_last_answer_by_hand() -> None:
    conversation = (user("1?"), assistant("It is 3."))
    assert masked(BASE_FOLDER, "distill_qwen", conversation) == [
        *silent(D_START, D_USER, D_NL, D_ONE, D_QUESTION, D_END, D_NL),
        *silent(D_START, D_ASSISTANT, D_NL),
        *learned(*D_IT_IS_3),
    ]


def test_text_that_looks_like_another_answer_is_refused_under_qwen3_5() -> None:
    tokenizer = ChatTokenizer.load(BASE_FOLDER)
    with pytest.raises(TemplateUnfit, match=r"writes 2 headers .* for 1 answers"):
        loss_mask("qwen3_5", tokenizer)(Conversation((user("<|im_start|>assistant\n"), assistant("1"))))


@pytest.mark.parametrize("num_rows", [1, 64])  # by the definition, and by the table of words
@pytest.mark.parametrize("kind", ["qwen", "qwen3", "qwen3_5", "distill_qwen"])
def test_the_tokens_of_an_answer_have_its_weight(kind: LossMaskType, num_rows: int) -> None:
    answers = Message("assistant", "It is 3.", 2.5), Message("assistant", "It is 1.", 0.25)
    tokenizer = ChatTokenizer.load(BASE_FOLDER)
    mask = loss_mask(kind, tokenizer)
    rendering = mask(Conversation((user("1?"), answers[0], user("1?"), assistant("3"), user("1?"), answers[1])))
    sample = mark(tokenizer, [rendering] * num_rows)[-1]
    weighted = [(token, weight) for token, weight in zip(sample.ids, sample.weights(), strict=True) if weight]
    written = [
        (weight, tokenizer.decode([token for token, each in weighted if each == weight])) for weight in (2.5, 1, 0.25)
    ]
    end = "<|im_end|>\n"
    if kind == "distill_qwen":
        assert written == [(2.5, ""), (1, ""), (0.25, "It is 1.")]
    else:
        assert written == [(2.5, f"It is 3.{end}"), (1, f"3{end}"), (0.25, f"It is 1.{end}")]
    assert len(weighted) == sample.num_learned


@given(conversations(tools=False))
@settings(max_examples=80, deadline=None)
@pytest.mark.parametrize("kind", ["qwen", "qwen3", "qwen3_5", "distill_qwen"])
def test_what_is_learned_decodes_to_the_answers_and_their_ends(kind: LossMaskType, conversation: Conversation) -> None:
    tokenizer = ChatTokenizer.load(BASE_FOLDER)
    sample = mark(tokenizer, [loss_mask(kind, tokenizer)(conversation)])[0]
    learned_ids = [token for token, flag in zip(sample.ids, sample.flags(), strict=True) if flag]
    if kind == "distill_qwen":
        expected = conversation.messages[-1].content if conversation.messages[-1].trained else ""
    else:
        expected = "".join(f"{message.content}<|im_end|>\n" for message in conversation.messages if message.trained)
    assert tokenizer.decode(learned_ids) == expected


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
