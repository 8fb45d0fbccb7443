"""Rows as people have them: which are understood, and as what."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.tunedeck.conversations.files import HELLO, HELLO_MESSAGES, read, write
from tunedeck.conversations import ColumnMapping, Conversation, Message, Reading, ToolCall
from tunedeck.conversations.scan import inspect

USER, ASSISTANT = Message("user", "hi", False), Message("assistant", "hello", True)
CALL = ToolCall("add", '{"a": 1}')
TOOL = {"name": "add", "parameters": {"type": "object"}}
WRAPPED = {"type": "function", "function": TOOL}


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"messages": HELLO, "id": 7}, HELLO_MESSAGES),
        (
            {"messages": [{"role": "user", "content": [{"type": "text", "text": t} for t in "hi"]}, HELLO[1]]},
            HELLO_MESSAGES,
        ),
        ({"messages": HELLO, "system": "Be."}, (Message("system", "Be.", False), *HELLO_MESSAGES)),
        ({"messages": [HELLO[0], {**HELLO[1], "thinking": "hm"}]}, (USER, Message("assistant", "hello", True, "hm"))),
        (
            {"conversations": [{"from": "human", "value": "hi"}, {"from": "gpt", "value": "hello"}], "system": "Be."},
            (Message("system", "Be.", False), *HELLO_MESSAGES),
        ),
        ({"conversations": '[{"from": "human", "value": "hi"}, {"from": "gpt", "value": "hello"}]'}, HELLO_MESSAGES),
        ({"instruction": "hi", "input": "", "output": "hello"}, HELLO_MESSAGES),
        (
            {"instruction": "Add", "input": "1 2", "output": "3", "system": "Sum.", "history": [["hi", "hello"]]},
            (
                Message("system", "Sum.", False),
                *HELLO_MESSAGES,
                Message("user", "Add\n1 2", False),
                Message("assistant", "3", True),
            ),
        ),
        ({"prompt": "hi", "completion": "hello"}, HELLO_MESSAGES),
        (
            {"prompt": HELLO, "completion": [{"role": "assistant", "content": "more"}]},
            (USER, Message("assistant", "hello", False), Message("assistant", "more", True)),
        ),
    ],
)
def test_each_shape_becomes_messages(tmp_path: Path, row: dict[str, Any], expected: tuple[Message, ...]) -> None:
    assert read(write(tmp_path, [row])) == [Conversation(expected)]


@pytest.mark.parametrize("key", ["step_loss_mask", "loss_weight", "weight"])
def test_a_message_of_weight_zero_is_not_trained(tmp_path: Path, key: str) -> None:
    path = write(tmp_path, [{"messages": [HELLO[0], {**HELLO[1], key: 0}, HELLO[0], {**HELLO[1], key: 1}]}])
    (conversation,) = read(path)
    assert conversation is not None
    assert [message.trained for message in conversation.messages] == [False, False, False, True]


@pytest.mark.parametrize(
    ("given", "weight"),
    [
        ({"weight": 0.25}, 0.25),
        ({"loss_weight": 100, "weight": None}, 100.0),
        ({"loss_weight": 0.5, "weight": 0.5}, 0.5),
        ({"step_loss_mask": 1, "weight": 0.5}, 0.5),
        ({"step_loss_mask": 0.5}, 0.0),
        ({"step_loss_mask": 2, "loss_weight": 0.0}, 0.0),
        ({"step_loss_mask": True}, 1.0),
        ({}, 1.0),
    ],
)
def test_an_answer_has_the_weight_that_its_keys_agree_on(tmp_path: Path, given: dict[str, Any], weight: float) -> None:
    (conversation,) = read(
        write(tmp_path, [{"messages": [HELLO[0], {**HELLO[1], "weight": 1}, {**HELLO[1], **given}]}])
    )
    assert conversation is not None
    assert [message.weight for message in conversation.messages] == [0.0, 1.0, weight]


@pytest.mark.parametrize(
    "row",
    [
        {
            "messages": [
                HELLO[0],
                {
                    "role": "assistant",
                    "content": None,
                    "tool_calls": [{"function": {"name": "add", "arguments": '{"a": 1}'}}],
                },
                {"role": "tool", "content": "2"},
                HELLO[1],
            ],
            "tools": [WRAPPED],
        },
        {
            "messages": [
                HELLO[0],
                {"role": "assistant", "content": "", "function_call": {"name": "add", "arguments": '{"a": 1}'}},
                {"role": "function", "content": "2"},
                HELLO[1],
            ],
            "functions": [TOOL],
        },
        {
            "conversations": [
                {"from": "human", "value": "hi"},
                {"from": "function_call", "value": '{"name": "add", "arguments": "{\\"a\\": 1}"}'},
                {"from": "observation", "value": "2"},
                {"from": "gpt", "value": "hello"},
            ],
            "tools": '[{"name": "add", "parameters": {"type": "object"}}]',
        },
    ],
)
def test_calls_of_tools_are_understood_in_each_dialect(tmp_path: Path, row: dict[str, Any]) -> None:
    expected = (USER, Message("assistant", "", True, tool_calls=(CALL,)), Message("tool", "2", False), ASSISTANT)
    assert read(write(tmp_path, [row])) == [Conversation(expected, (WRAPPED,))]


def test_arguments_stay_as_they_were_given_and_ids_are_kept(tmp_path: Path) -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "add", "arguments": {"a": 1}}}
    answer = {"role": "tool", "content": "2", "tool_call_id": "c1", "name": "add"}
    row = {"messages": [HELLO[0], {"role": "assistant", "content": "", "tool_calls": [call]}, answer]}
    (conversation,) = read(write(tmp_path, [row]))
    assert conversation is not None
    assert conversation.messages[1].tool_calls == (ToolCall("add", {"a": 1}, "c1"),)
    assert (conversation.messages[2].tool_call_id, conversation.messages[2].name) == ("c1", "add")


def test_columns_roles_and_keys_may_have_other_names(tmp_path: Path) -> None:
    path = write(tmp_path, [{"id": 1, "chat": [{"who": "client", "says": "hi"}, {"who": "bot", "says": "hello"}]}])
    columns = ColumnMapping(messages="chat", role_key="who", content_key="says")
    reading = Reading(columns=columns, roles={"client": "user", "bot": "assistant"})
    assert read(path, reading) == [Conversation(HELLO_MESSAGES)]
    report = inspect(path, reading)
    assert (report.shape, report.columns) == ("messages", ("id", "chat"))


def test_a_shape_that_was_chosen_holds_where_the_keys_tell_another(tmp_path: Path) -> None:
    path = write(tmp_path, [{"messages": [], "prompt": "hi", "completion": "hello"}])
    assert read(path, Reading(shape="prompt_completion")) == [Conversation(HELLO_MESSAGES)]
    assert inspect(path, Reading(shape="alpaca")).faults[0].examples[0].message == 'there is no "instruction" in it'
