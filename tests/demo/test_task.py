"""The demo's task: the same seed gives the same rows, nothing held out is ever trained, and every answer is right."""

from __future__ import annotations

import itertools
import json
import re
from collections import Counter

import pytest

from tunedeck.demo.kinds import KINDS
from tunedeck.demo.prose import plain_texts
from tunedeck.demo.task import MAX_HELD_OUT, conversations, held_out
from tunedeck.errors import BadInput


def solve(question: str) -> str:
    """The right answer, worked out from the question's text alone: shares no code with the generator."""
    if match := re.fullmatch(r"(\w+) keeps (\d+) (\w+) and gets (\d+) more\. How many \3 does \1 have now\?", question):
        return f"{match[1]} has {int(match[2]) + int(match[4])} {match[3]}."
    if match := re.fullmatch(r"\w+ had (\d+) (\w+) and gave (\d+) away\. How many \2 are left\?", question):
        return f"{int(match[1]) - int(match[3])} {match[2]} are left."
    if match := re.fullmatch(r"Write this as JSON: (\w+) is (\d+) years old and lives in (\w+)\.", question):
        return f'{{"name": "{match[1]}", "age": {match[2]}, "city": "{match[3]}"}}'
    if match := re.search(r"What is (\w+)\?$", question):
        thing = re.search(rf" a {match[1]} (\w+)", question)
        assert thing is not None
        return f"The {match[1]} {thing[1]}."
    wish, _, listed = question.removesuffix(".").partition(": ")
    items = listed.split(", ")
    if wish == "Sort these numbers":
        return ", ".join(sorted(items, key=int))
    if wish == "Put these words in alphabetical order":
        return ", ".join(sorted(items))
    assert wish == "Say these words in reverse"
    return ", ".join(reversed(items))


def exchanges(num: int, seed: int) -> list[tuple[str, str]]:
    """(question, answer) of every exchange of the rows."""
    found: list[tuple[str, str]] = []
    for row in conversations(num, seed):
        contents = [message["content"] for message in row["messages"]]
        found += zip(contents[::2], contents[1::2], strict=True)
    return found


def test_the_same_seed_gives_the_same_conversations_and_another_seed_gives_others() -> None:
    first, again, other = (list(conversations(200, seed)) for seed in (5, 5, 6))
    assert first == again
    assert first != other


def test_more_rows_begin_with_the_same_rows() -> None:
    assert list(conversations(50, 3)) == list(conversations(80, 3))[:50]


def test_roles_alternate_and_every_conversation_ends_with_the_assistant() -> None:
    shapes = Counter(tuple(message["role"] for message in row["messages"]) for row in conversations(1000, 1))
    assert set(shapes) == {("user", "assistant"), ("user", "assistant") * 2}
    assert 150 < shapes["user", "assistant", "user", "assistant"] < 350


@pytest.mark.parametrize("seed", range(3))
def test_every_answer_in_the_training_data_is_right(seed: int) -> None:
    assert [(q, a) for q, a in exchanges(2000, seed) if solve(q) != a] == []


def test_every_held_out_answer_is_right() -> None:
    questions = held_out(MAX_HELD_OUT)
    assert [question.answer for question in questions] == [solve(q.messages[-1]["content"]) for q in questions]


def test_records_are_json() -> None:
    answers = [answer for question, answer in exchanges(500, 1) if "JSON" in question]
    assert answers
    assert all(set(json.loads(answer)) == {"name", "age", "city"} for answer in answers)


def test_no_held_out_question_is_in_the_training_data() -> None:
    trained = {question for seed in range(4) for question, _ in exchanges(8000, seed)}
    assert trained.isdisjoint(question.messages[-1]["content"] for question in held_out(MAX_HELD_OUT))


def test_no_held_out_sum_is_trained_or_told_under_another_name() -> None:
    def numbers(text: str) -> tuple[str, ...]:
        return tuple(re.findall(r"\d+", text)[:2])

    held = {numbers(q.messages[-1]["content"]) for q in held_out(MAX_HELD_OUT) if q.kind == "Gain"}
    trained = {numbers(question) for question, _ in exchanges(8000, 1) if "gets" in question}
    texts = (text.given for text in itertools.islice(plain_texts(7), 30_000))
    told = {numbers(text) for text in texts if "gets" in text or text.endswith("make")}
    assert len(held) == MAX_HELD_OUT // len(KINDS)
    assert len(trained) > 300 and len(told) > 300
    assert held.isdisjoint(trained | told)


def test_held_out_questions_are_stable_distinct_and_cover_all_kinds_evenly() -> None:
    questions = held_out(100)
    assert questions == held_out(200)[:100]
    assert len({question.messages[-1]["content"] for question in questions}) == 100
    counts = Counter(question.kind for question in questions)
    assert set(counts) == {kind.__name__ for kind in KINDS}
    assert max(counts.values()) - min(counts.values()) <= 1


@pytest.mark.parametrize("num", [0, -1, MAX_HELD_OUT + 1])
def test_a_number_of_held_out_questions_that_cannot_be_had_is_refused(num: int) -> None:
    with pytest.raises(BadInput) as refused:
        held_out(num)
    assert refused.value.problems[0].value == num


def test_plain_texts_hold_no_conversation() -> None:
    texts = ["".join(text) for text in itertools.islice(plain_texts(7), 3000)]
    assert not [text for text in texts if "<|" in text or "user" in text or "assistant" in text]


def test_no_held_out_question_is_among_the_plain_texts() -> None:
    told = {text.given for text in itertools.islice(plain_texts(7), 50_000)}
    assert told.isdisjoint(question.messages[-1]["content"] for question in held_out(MAX_HELD_OUT))


def test_every_riddle_among_the_plain_texts_is_solved_right() -> None:
    texts = itertools.islice(plain_texts(7), 5000)
    riddles = [(text.given, text.follows.strip()) for text in texts if text.follows.startswith("\n")]
    assert len(riddles) > 1000
    assert [(question, answer) for question, answer in riddles if solve(question) != answer] == []
