"""The chat template of a model: Jinja that came with the weights, compiled once, rendered in a sandbox.

The environment is that of transformers (sandbox, filters, globals, whitespace control), so that training writes what
inference writes; a test renders the same conversations with both. Calling transformers itself was rejected: it brings
torch's whole family into the backend and the command line, and spends three times as long on a render. Templates are
untrusted code: they see plain JSON values and nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cached_property, lru_cache
from typing import Any, TypeVar

from jinja2 import Template, TemplateError
from jinja2.exceptions import SecurityError
from jinja2.ext import Extension, loopcontrols
from jinja2.nodes import Node
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Namespace

from tunedeck.conversations import Message
from tunedeck.tokens.traced_template import TracedTemplate, TracingEnvironment

E = TypeVar("E", bound=ImmutableSandboxedEnvironment)

DEFAULT = "default"
TOOL_USE = "tool_use"


class ChatTemplate:
    """The templates of one tokenizer by name, with the special tokens that they may mention."""

    def __init__(self, sources: Mapping[str, str], special_tokens: Mapping[str, str]) -> None:
        """Raises jinja2.TemplateError where a template is no Jinja."""
        self._templates = {name: _compiled(source) for name, source in sources.items()}
        self._special_tokens = dict(special_tokens)
        self._default = sources.get(DEFAULT, "")

    def render(
        self, messages: Sequence[Message], tools: Sequence[dict[str, Any]] = (), *, add_generation_prompt: bool = False
    ) -> str:
        """The text of a conversation. Raises jinja2.TemplateError where the template refuses it."""
        if not tools and all(map(_is_plain, messages)):
            roles = tuple([message.role for message in messages])
            texts = [message.content for message in messages]
            known = self._traced.render(roles, texts, add_generation_prompt=add_generation_prompt)
            if known is not None:
                return known
        return self.render_anew(messages, tools, add_generation_prompt=add_generation_prompt)

    def render_anew(
        self, messages: Sequence[Message], tools: Sequence[dict[str, Any]] = (), *, add_generation_prompt: bool = False
    ) -> str:
        """The same by the template itself, whatever has been learned of it."""
        try:
            return self._choose(tools).render(
                messages=[_as_template_sees_it(message) for message in messages],
                tools=list(tools) or None,
                documents=None,
                add_generation_prompt=add_generation_prompt,
                **self._special_tokens,
            )
        except (TypeError, ValueError, KeyError, AttributeError) as error:
            # A template may do arithmetic on what it was given; its slips are its own, not ours.
            raise TemplateError(f"{type(error).__name__}: {error}") from error

    @cached_property
    def _traced(self) -> TracedTemplate:
        return TracedTemplate(_environment(TracingEnvironment).trace(), self._default, self._special_tokens)

    def _choose(self, tools: Sequence[dict[str, Any]]) -> Template:
        if tools and TOOL_USE in self._templates:
            return self._templates[TOOL_USE]
        return self._templates[DEFAULT]


def _as_template_sees_it(message: Message) -> dict[str, Any]:
    """transformers gives thoughts under a second name too, which some templates read."""
    written = message.as_dict()
    if message.reasoning_content:
        written["thinking"] = message.reasoning_content
    return written


def _is_plain(message: Message) -> bool:
    return not (message.reasoning_content or message.tool_calls or message.name or message.tool_call_id)


@lru_cache(maxsize=64)
def _compiled(source: str) -> Template:
    return _environment(ImmutableSandboxedEnvironment).from_string(source)


def _environment(kind: type[E]) -> E:
    environment = kind(trim_blocks=True, lstrip_blocks=True, extensions=[_Generation, loopcontrols])
    environment.filters["tojson"] = _tojson
    environment.globals["raise_exception"] = _raise_exception
    environment.globals["strftime_now"] = _strftime_now
    environment.globals["namespace"] = _Namespace
    return environment


class _Generation(Extension):
    """`{% generation %}` marks the assistant's part for transformers' own mask; here it only writes what it holds."""

    tags = {"generation"}  # noqa: RUF012 - jinja2 declares it so

    def parse(self, parser: Parser) -> list[Node]:
        next(parser.stream)
        return list(parser.parse_statements(("name:endgeneration",), drop_needle=True))


class _Namespace(Namespace):
    """Names that begin with an underscore would reach into Python."""

    def __setitem__(self, name: str, value: Any) -> None:
        if name.startswith("_"):
            raise SecurityError(f"a chat template may not set {name!r}")
        super().__setitem__(name, value)


def _tojson(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    """Jinja's own filter would write HTML entities."""
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def _raise_exception(message: str) -> None:
    raise TemplateError(message)


def _strftime_now(form: str) -> str:
    return datetime.now().strftime(form)
