"""Conversations as people write them and as nobody would: for comparing two ways of writing and marking them."""

from __future__ import annotations

from hypothesis import strategies as st

from tunedeck.conversations import Conversation, Message, ToolCall

# é also as two characters, a right-to-left letter, a space that is none, a joiner, a letter outside the basic plane.
_ALPHABET = "aeiosthnr AEZ09.,!?'\"{}<>|/\\-_\n\r\t" + "éß—’你好ع한😀\u0301\u00a0\u200d\U0001d518"
TEXT = st.one_of(
    st.text(st.sampled_from(_ALPHABET), max_size=40),
    st.lists(
        st.sampled_from(
            ["What is 2 plus 3?", " It's", "\n\n", "\n", "  ", "1999", "def f(x):\n    return x\n", "don't"]
        ),
        max_size=6,
    ).map("".join),
)
_THOUGHT = st.one_of(st.just(""), TEXT)
_CALLS = st.lists(
    st.builds(
        ToolCall,
        st.sampled_from(["add", "look_up"]),
        st.one_of(st.just({"a": 1, "b": "é"}), st.just('{"a":1}')),
    ),
    max_size=2,
).map(tuple)
TOOLS = (
    {
        "type": "function",
        "function": {"name": "add", "description": "Adds é.", "parameters": {"type": "object", "properties": {}}},
    },
)


def conversations(*, tools: bool) -> st.SearchStrategy[Conversation]:
    """A system prompt or none, then user and assistant in turn; with `tools` also calls, answers of tools, thoughts."""
    answer = st.builds(
        Message,
        st.just("assistant"),
        TEXT,
        st.booleans(),
        reasoning_content=_THOUGHT if tools else st.just(""),
        tool_calls=_CALLS if tools else st.just(()),
    )
    answers_of_tools = st.lists(st.builds(Message, st.just("tool"), TEXT, st.just(False)), max_size=2 if tools else 0)
    turn = st.tuples(st.builds(Message, st.just("user"), TEXT, st.just(False)), answer, answers_of_tools)
    system = st.lists(st.builds(Message, st.just("system"), TEXT, st.just(False)), max_size=1)
    return st.builds(
        lambda head, turns, given: Conversation((*head, *(m for u, a, t in turns for m in (u, a, *t))), given),
        system,
        st.lists(turn, min_size=1, max_size=3),
        st.sampled_from([(), TOOLS]) if tools else st.just(()),
    )


def as_rows(conversation: Conversation) -> list[dict[str, object]]:
    """The messages as a data set of the recipe has them."""
    return [
        message.as_dict() | ({"step_loss_mask": int(message.trained)} if message.role == "assistant" else {})
        for message in conversation.messages
    ]
