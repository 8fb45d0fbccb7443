"""Every kind of fault is counted with its rows, and the policy does what it says, at training as at inspection."""

from __future__ import annotations

import hashlib
import json
import random
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from tests.tunedeck.conversations.files import GOOD, HELLO, read, write
from tunedeck.conversations import Conversation, FaultPolicy, Message, Reading
from tunedeck.conversations.lengths import Lengths
from tunedeck.conversations.scan import inspect, read_conversations, scan
from tunedeck.conversations.seen import Seen, key_of
from tunedeck.errors import DatasetInvalid

USER, ASSISTANT = HELLO
CALL = {"role": "assistant", "content": "", "tool_calls": [{"function": {"name": "add", "arguments": "{]"}}]}
FAULTY_ROWS: dict[str, Any] = {
    "malformed": {"messages": [USER, {"role": "assistant", "content": 3}]},
    "encoding": {"messages": [USER, {"role": "assistant", "content": "\ud800"}]},
    "unknown_role": {"messages": [USER, ASSISTANT, {"role": "oracle", "content": "x"}, ASSISTANT]},
    "broken_tool_call": {"messages": [USER, ASSISTANT, USER, CALL]},
    "empty_turn": {"messages": [{**USER, "content": "empty"}, ASSISTANT, {**USER, "content": " "}, ASSISTANT]},
    "wrong_order": {"messages": [{**USER, "content": "order"}, ASSISTANT, ASSISTANT]},
    "no_assistant_turn": {"messages": [USER]},
    "overlong": {"messages": [{**USER, "content": "long"}, ASSISTANT, USER, {**ASSISTANT, "content": "x" * 100}]},
    "duplicate": {"messages": HELLO},
}
LENIENT = FaultPolicy(malformed="drop", encoding="drop", unknown_role="drop", broken_tool_call="drop")


def faulty_file(folder: Path) -> Path:
    """Row 1 is good, each other row has one fault."""
    return write(folder, [{"messages": HELLO}, *FAULTY_ROWS.values()], "data.jsonl")


def test_each_kind_is_counted_with_its_row(tmp_path: Path) -> None:
    report = inspect(faulty_file(tmp_path), Reading(max_chars=99, policy=LENIENT))
    assert {count.kind: count.rows for count in report.faults} == {
        kind: (row,) for row, kind in enumerate(FAULTY_ROWS, 2)
    }
    assert all(count.examples[0].message and count.examples[0].mend for count in report.faults)
    assert (report.num_rows, report.num_trainable_rows, report.num_dropped_rows) == (10, 5, 5)


@pytest.mark.parametrize("kind", FAULTY_ROWS)
def test_fail_refuses_the_file_and_names_the_row(tmp_path: Path, kind: str) -> None:
    path = faulty_file(tmp_path)
    policy = FaultPolicy.model_validate({**LENIENT.model_dump(), kind: "fail"})
    reading = Reading(max_chars=99, policy=policy)
    row = list(FAULTY_ROWS).index(kind) + 2
    with pytest.raises(DatasetInvalid, match=f"data.jsonl, row {row}: "):
        scan(path, reading)
    with pytest.raises(DatasetInvalid, match=f"data.jsonl, row {row}: "):
        list(read_conversations(path, reading))


@pytest.mark.parametrize("kind", FAULTY_ROWS)
def test_drop_leaves_out_that_row_and_no_other(tmp_path: Path, kind: str) -> None:
    path = write(tmp_path, [{"messages": HELLO}, FAULTY_ROWS[kind], {"messages": [USER, ASSISTANT] * 3}], "data.jsonl")
    reading = Reading(max_chars=99, policy=FaultPolicy.model_validate({kind: "drop"}))
    assert [conversation is None for conversation in read(path, reading)] == [False, True, False]
    report = scan(path, reading)
    assert (report.num_trainable_rows, report.num_dropped_rows) == (2, 1)


@pytest.mark.parametrize("kind", ["unknown_role", "broken_tool_call", "empty_turn", "wrong_order", "overlong"])
def test_truncate_keeps_the_turns_before_the_fault(tmp_path: Path, kind: str) -> None:
    path = write(tmp_path, [FAULTY_ROWS[kind], {"messages": [FAULTY_ROWS[kind]["messages"][-1]]}, {"messages": HELLO}])
    reading = Reading(max_chars=99, policy=FaultPolicy.model_validate({kind: "truncate", "duplicate": "keep"}))
    first, *_ = read(path, reading)
    assert first is not None
    assert [message.content for message in first.messages] == [
        turn["content"] for turn in FAULTY_ROWS[kind]["messages"][:2]
    ]
    assert inspect(path, reading).num_truncated_rows == 1


def test_a_truncated_row_without_an_answer_left_is_dropped_and_counted(tmp_path: Path) -> None:
    path = write(tmp_path, [{"messages": [USER, {**ASSISTANT, "content": "x" * 100}]}, {"messages": HELLO}])
    reading = Reading(max_chars=9, policy=FaultPolicy(overlong="truncate"))
    report = inspect(path, reading)
    assert (report.num_dropped_rows, report.num_truncated_rows) == (1, 0)
    assert report.faults[0].kind == "overlong"


def test_all_faults_of_a_row_are_counted_and_the_harshest_action_holds(tmp_path: Path) -> None:
    row = {"messages": [USER, {"role": "oracle", "content": ""}, CALL, {**ASSISTANT, "content": " "}]}
    path = write(tmp_path, [row, {"messages": HELLO}])
    report = inspect(path, Reading(policy=FaultPolicy(unknown_role="truncate", broken_tool_call="drop")))
    assert [count.kind for count in report.faults] == ["unknown_role", "broken_tool_call"]
    assert report.num_dropped_rows == 1


def test_lines_that_are_no_json_can_be_dropped(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD.encode() + b'\n{"broken\n' + b'{"messages": "\xff"}\n3\n' + GOOD.encode())
    report = inspect(path, Reading(policy=LENIENT))
    assert {count.kind: count.rows for count in report.faults} == {
        "malformed": (2, 4),
        "encoding": (3,),
        "duplicate": (5,),
    }


def test_duplicates_differ_in_nothing_that_is_trained(tmp_path: Path) -> None:
    other = [USER, {**ASSISTANT, "weight": 0}, *HELLO]
    half = [USER, {**ASSISTANT, "weight": 0.5}, *HELLO]
    rows = [HELLO, [*HELLO, *HELLO], other, half, [USER, {**ASSISTANT, "thinking": "hm"}], HELLO, [*HELLO, *HELLO]]
    report = inspect(write(tmp_path, [{"messages": row} for row in rows]))
    assert {count.kind: count.rows for count in report.faults} == {"duplicate": (6, 7)}


def test_at_its_bound_the_memory_of_rows_keeps_what_it_has() -> None:
    seen = Seen(most_slots=8192)
    keys = [key_of(Conversation((Message("user", str(n), False),))) for n in range(9000)]
    assert all(map(seen.add, keys))
    assert seen.num_known == int(8192 * 0.7)
    assert [seen.add(keys[n]) for n in (0, 5733, 5734, 8999)] == [False, False, True, True]


def test_lengths_are_exact_but_for_percentiles_which_are_close() -> None:
    chance = random.Random(3)
    values = sorted(int(chance.lognormvariate(6, 2)) for _ in range(5000))
    lengths = Lengths()
    for value in chance.sample(values, len(values)):
        lengths.add(value)
    found = lengths.statistics()
    assert (found.minimum, found.maximum) == (values[0], values[-1])
    assert found.mean == round(sum(values) / 5000, 1)
    for share, told in ((0.5, found.p50), (0.9, found.p90), (0.99, found.p99)):
        exact = values[int(share * 5000) - 1]
        assert exact <= told <= exact * 1.04
    assert sum(bin.num_rows for bin in found.histogram) == 5000


def test_a_report_tells_what_the_file_holds(tmp_path: Path) -> None:
    long = [USER, {"role": "assistant", "content": "x" * 10_000}]
    path = write(tmp_path, [{"messages": HELLO}, {"messages": HELLO[:1]}, {"messages": []}, {"messages": long}] * 2)
    report = scan(path)
    assert (report.shape, report.num_rows, report.num_trainable_rows) == ("messages", 8, 4)
    assert report.size_bytes == path.stat().st_size
    assert report.content_sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert report.num_turns_by_role == {"user": 4, "assistant": 4}
    assert (report.turns.minimum, report.turns.maximum, report.chars.maximum) == (2, 2, 10_002)
    assert len(report.sample) == 4
    assert report.sample[0] == {
        "messages": [
            {"role": "user", "content": "hi", "trained": False},
            {"role": "assistant", "content": "hello", "trained": True},
        ]
    }
    assert len(report.sample[1]["messages"][1]["content"]) == 4001
    assert len(json.dumps(report.model_dump(mode="json"))) < 20_000


def test_where_tokens_are_counted_the_last_turns_go_until_it_fits(tmp_path: Path) -> None:
    rows = [HELLO * 3, HELLO * 2, [USER, {**ASSISTANT, "content": "a b c d e"}]]
    path = write(tmp_path, [{"messages": row} for row in rows])
    reading = Reading(max_tokens=4, policy=FaultPolicy(overlong="truncate"))
    report = inspect(path, reading, num_tokens=_num_words)
    assert {count.kind: count.rows for count in report.faults} == {"overlong": (1, 3), "duplicate": (2,)}
    assert (report.num_truncated_rows, report.num_dropped_rows) == (1, 1)
    assert report.tokens is not None and (report.tokens.minimum, report.tokens.maximum) == (4, 4)
    kept = inspect(path, Reading(max_tokens=4), num_tokens=_num_words)
    assert kept.tokens is not None and (kept.num_dropped_rows, kept.tokens.maximum) == (0, 6)


def _num_words(conversation: Conversation) -> int:
    return sum(len(message.content.split()) for message in conversation.messages)


def test_the_documentation_names_every_kind_its_default_and_its_other_actions() -> None:
    page = (Path(__file__).parents[3] / "docs" / "data.md").read_text()
    for kind, field in FaultPolicy.model_fields.items():
        (line,) = (line for line in page.splitlines() if line.startswith(f"| `{kind}`"))
        *_, default, others = (cell.strip() for cell in line.strip("|").split("|"))
        assert default == f"`{field.default}`"
        told = {default.strip("`"), *others.replace("`", "").split(", ")}
        assert told == _actions(kind)


def _actions(kind: str) -> set[str]:
    offered = set()
    for action in ("keep", "drop", "truncate", "fail"):
        try:
            FaultPolicy.model_validate({kind: action})
        except ValidationError:
            continue
        offered.add(action)
    return offered
