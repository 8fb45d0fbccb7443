"""A template that was watched once writes what the template itself writes, whatever the texts."""

from __future__ import annotations

import json
from functools import lru_cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jinja2 import TemplateError

from tests.support.random_conversations import TEXT, conversations
from tests.support.tokenizers import CHATML, QWEN3, SYSTEM_CHATML, needs_qwen3
from tunedeck.conversations import Conversation, Message
from tunedeck.tokens import chat_template
from tunedeck.tokens.chat_template import DEFAULT, ChatTemplate

# What known templates do with texts, and what none should do.
TEMPLATES = {
    "chatml": CHATML,
    "system": SYSTEM_CHATML,
    "trimmed": "{% for m in messages %}<h>{{ m.role }}</h>{{ m['content'] | trim }}<e>{% endfor %}",
    "joined first": "{% for m in messages %}{% set t = '<h>' + m.content | trim + '<e>' %}"
    "{% if loop.first %}{% set t = bos_token + t %}{% endif %}{{ t }}{% endfor %}",
    "thoughts": "{% for m in messages %}{% set c = m.content %}{% if '</think>' in c %}{% set c = c.split('</think>')"
    "[-1].lstrip('\n') %}{% endif %}{{ m.role }}:{{ c }}{% if not c %}(empty){% endif %}\n{% endfor %}",
    "starts and ends": "{% for m in messages %}{% if m.content.startswith('a') and not m.content.endswith('\n') %}"
    "[{{ m.content }}]{% else %}{{ m.content.strip() }}{{ m.content }}{% endif %}{% endfor %}",
    "a macro": "{% macro say(t) %}<{{ t }}>{% endmacro %}"
    "{% for m in messages %}{{ say(m.content) | upper }}{% endfor %}",
    "a block": "{% set all %}{% for m in messages %}{{ m.content }}{% endfor %}{% endset %}"
    "{{ all | replace('a', 'b') }}",
    "a loop of itself": "{% for m in messages recursive %}{{ m.content }}{% if loop.depth == 1 %}"
    "{{ loop(messages[1:]) | upper }}{% endif %}{% endfor %}",
    "escaped": "{% autoescape true %}{% for m in messages %}{{ m.content }}{% endfor %}{% endautoescape %}",
    "counted": "{% for m in messages %}{{ m.content | length }}{{ m.content[:2] }}{{ m.content.upper() }}{% endfor %}",
    "compared": "{% for m in messages %}{{ m.content == 'ab' }}{{ m.content in ['a'] }}"
    "{{ m.content > 'b' }}{% endfor %}",
    "formatted": "{% for m in messages %}{{ '%s' % m.content }}{{ '{}'.format(m.content) }}"
    "{{ m.content ~ 1 }}{% endfor %}",
    "as json": "{{ messages | tojson }}{{ messages | map(attribute='content') | join('|') }}",
    "numbers": "{% for m in messages %}{{ m.content | int }}{{ m.content * 2 }}{{ m.content is number }}{% endfor %}",
    "keys": "{% set names = {'a': 1} %}{% for m in messages %}{{ names[m.content] }}{{ m[m.content] }}{% endfor %}",
    "tests": "{% for m in messages %}{{ m.content is string }}{{ m.content is none }}{{ m.content is iterable }}"
    "{{ m.content is lower }}{{ m.content is defined }}{{ m.content.nothing is defined }}{% endfor %}",
    "letters": "{% for m in messages %}{% for letter in m.content %}{{ letter }}-{% endfor %}{% endfor %}",
    "refusing": "{% for m in messages %}{% if 'a' in m.content %}{{ raise_exception('no: ' + m.content) }}{% endif %}"
    "{{ m.content or 'nothing' }}{% endfor %}",
    "remembering": "{% set ns = namespace(all='') %}{% for m in messages %}{% set ns.all = ns.all + m.content %}"
    "{% endfor %}{{ ns.all }}{{ messages[-1].content }}{{ messages[0] == messages[-1] }}",
}
if QWEN3.exists():
    TEMPLATES["qwen3"] = json.loads((QWEN3 / "tokenizer_config.json").read_text())["chat_template"]


@lru_cache
def template(name: str) -> ChatTemplate:
    return ChatTemplate({DEFAULT: TEMPLATES[name]}, {"bos_token": "<s>"})


def outcome(name: str, conversation: Conversation, *, anew: bool, prompt: bool) -> str:
    render = template(name).render_anew if anew else template(name).render
    try:
        return render(conversation.messages, conversation.tools, add_generation_prompt=prompt)
    except TemplateError as error:
        return f"refused: {error}"


def assert_same(conversation: Conversation) -> None:
    for name in TEMPLATES:
        for prompt in (False, True):
            known = outcome(name, conversation, anew=False, prompt=prompt)
            assert known == outcome(name, conversation, anew=True, prompt=prompt), name


@given(conversation=conversations(tools=True))
@settings(max_examples=40, deadline=None)
def test_any_conversation(conversation: Conversation) -> None:
    assert_same(conversation)


AWKWARD = st.sampled_from(
    [
        "",
        "a",
        "ab",
        " a ",
        "\n",
        "12",
        "<think>b</think>\nc",
        "<tool_response>",
        "<tool_response>a</tool_response>",
        "\0",
    ]
)


@given(texts=st.lists(st.one_of(AWKWARD, TEXT), min_size=1, max_size=3))
@settings(max_examples=60, deadline=None)
def test_any_texts(texts: list[str]) -> None:
    assert_same(Conversation(tuple(Message("user", text, 0.0) for text in texts)))


@pytest.mark.parametrize(
    "name", ["chatml", "system", "trimmed", "joined first", "thoughts", pytest.param("qwen3", marks=needs_qwen3)]
)
def test_known_templates_are_asked_once_for_each_outline(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def exchange(number: int) -> list[Message]:
        return [Message("user", f"{number}?", 0.0), Message("assistant", f"It is {number}.", 1.0)]

    known = ChatTemplate({DEFAULT: TEMPLATES[name]}, {"bos_token": "<s>"})
    expected = [known.render_anew(exchange(number)) for number in range(3)]
    monkeypatch.setattr(ChatTemplate, "render_anew", None)
    assert [known.render(exchange(number)) for number in range(3)] == expected


def test_the_time_of_day_is_not_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter("abcdefgh")
    monkeypatch.setattr(chat_template, "_strftime_now", lambda form: next(times))
    source = "{% if strftime_now is defined %}{{ strftime_now('%H') }}{% endif %}{{ messages[0].content }}"
    dated = ChatTemplate({DEFAULT: source}, {})
    assert [dated.render([Message("user", "?", 0.0)]) for _ in range(3)] == ["a?", "b?", "c?"]
