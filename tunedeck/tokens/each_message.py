"""The loss masks `qwen` and `qwen3`: every message is written by itself, and every answer that is trained is learned.

Learned is what follows the assistant's header: content, end of turn, the newline behind it, and whatever the template
puts before the content (an empty think block under `qwen3`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from tunedeck.conversations import Conversation, Message
from tunedeck.tokens.chat_tokenizer import ChatTokenizer
from tunedeck.tokens.rendering import Piece, Rendering, Stretch, TemplateUnfit

PROBE = Message("user", "Which letters are vowels?", 0.0)

Tools = Sequence[dict[str, Any]]


@dataclass(frozen=True)
class Frame:
    """What a template writes around messages: once at the start (a default system prompt, a begin-of-text token), and
    before each answer (the generation prompt, which is the assistant's header)."""

    opening: str
    header: str

    @classmethod
    def of(cls, tokenizer: ChatTokenizer) -> Frame:
        """Raises TemplateUnfit where the template writes messages in another way."""
        once, twice = tokenizer.render([PROBE]), tokenizer.render([PROBE, PROBE])
        opening = once[: 2 * len(once) - len(twice)]
        if twice != once + once[len(opening) :]:
            raise TemplateUnfit("it does not write the same message twice in the same way")
        prompt = tokenizer.render([PROBE], add_generation_prompt=True)
        if not prompt.startswith(once) or prompt == once:
            raise TemplateUnfit("it adds no generation prompt behind the last message")
        return cls(opening, prompt[len(once) :])

    def without_opening(self, text: str) -> str:
        if not text.startswith(self.opening):
            raise TemplateUnfit("the text before the first message depends on that message")
        return text[len(self.opening) :]

    def first(self, text: str, weight: float) -> Piece:
        """The piece of the first message, which may have the opening and the tools before it."""
        return self._piece(text, text.find(self.header), weight) if weight else Piece(text)

    def later(self, text: str, weight: float) -> Piece:
        return self._piece(text, 0 if text.startswith(self.header) else -1, weight) if weight else Piece(text)

    def _piece(self, text: str, header_at: int, weight: float) -> Piece:
        if header_at < 0:
            raise TemplateUnfit(f"an answer does not begin with the generation prompt {self.header!r}")
        return Piece(text, (Stretch(header_at + len(self.header), len(text), weight),))


class EachAlone:
    """`qwen`: each message alone; the opening that the template puts before every one of them is kept once."""

    def __init__(self, tokenizer: ChatTokenizer) -> None:
        self._tokenizer = tokenizer
        self._frame = Frame.of(tokenizer)

    def __call__(self, conversation: Conversation) -> Rendering:
        first, *rest = conversation.messages
        written = self._tokenizer.render([first], conversation.tools)
        return (
            self._frame.first(written, first.weight),
            *(self._frame.later(self._alone(message), message.weight) for message in rest),
        )

    def _alone(self, message: Message) -> str:
        text = self._tokenizer.render([message])
        # A system message is written without the default system prompt: it takes its place.
        return text if message.role == "system" else self._frame.without_opening(text)


class EachAsLast:
    """`qwen3`: each message behind a dummy user turn, so that every answer is written as the last one is."""

    def __init__(self, tokenizer: ChatTokenizer) -> None:
        self._tokenizer = tokenizer
        self._frame = Frame.of(tokenizer)
        self._before = tokenizer.render([PROBE])
        self._behind = self._frame.without_opening(self._before)

    def __call__(self, conversation: Conversation) -> Rendering:
        first, *rest = _turns(conversation.messages)
        return (
            self._frame.first(self._as_first(first, conversation.tools), first[0].weight),
            *(self._frame.later(self._as_last(turn), turn[0].weight) for turn in rest),
        )

    def _as_first(self, turn: Sequence[Message], tools: Tools) -> str:
        text = self._tokenizer.render([*turn, PROBE], tools)
        if not text.endswith(self._behind):
            raise TemplateUnfit("it rewrites a message that follows the first one")
        return text.removesuffix(self._behind)

    def _as_last(self, turn: Sequence[Message]) -> str:
        text = self._tokenizer.render([PROBE, *turn])
        if not text.startswith(self._before):
            raise TemplateUnfit("it rewrites a message that precedes the last one")
        return text[len(self._before) :]


def _turns(messages: Sequence[Message]) -> Iterator[list[Message]]:
    """Answers of tools that follow each other are one turn: templates write them as one. All others stand alone."""
    for is_tool, group in groupby(messages, lambda message: message.role == "tool"):
        if is_tool:
            yield list(group)
        else:
            yield from ([message] for message in group)
