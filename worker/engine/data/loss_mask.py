"""Which part of a conversation's text is learned.

Masks are worked out on the text, not on tokens: each type says how the conversation is written and which stretches of
characters are the assistant's own. A token is learned exactly when it begins inside such a stretch, so no arithmetic on
token counts can go wrong where a tokenizer merges across the end of the assistant's header. `{% generation %}` marks in
templates were rejected: none of the models that we know carries them.

The types are those of the recipe that we follow (slime):

* `qwen` writes each message alone and takes away the default system prompt that the template puts before every message
  but the first. Learned: all of an assistant's message behind its header, with the end of turn and the newline.
* `qwen3` writes each message behind a dummy user turn, so that every assistant turn is written as the last one, and an
  empty think block, where the template adds one, is learned.
* `distill_qwen` learns only the last message: the text behind the generation prompt, and the end of turn.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from jinja2 import TemplateError

from tunedeck.conversations import Conversation, Message
from tunedeck.errors import SpecInvalid
from tunedeck.spec import LossMaskType
from worker.engine.data.chat_tokenizer import ChatTokenizer

_PROBE = Message("user", "Which letters are vowels?", False)
_PROBE_ANSWER = Message("assistant", "A, E, I, O and U.", True)
_PROBES = Conversation((_PROBE, _PROBE_ANSWER, _PROBE, _PROBE_ANSWER))
_THINK = "<think>\n"


@dataclass(frozen=True)
class Rendering:
    """A conversation as text, and the stretches [start, stop) of characters that are learned."""

    text: str
    learned: tuple[tuple[int, int], ...]


LossMask = Callable[[Conversation], Rendering]


def loss_mask(kind: LossMaskType, tokenizer: ChatTokenizer) -> LossMask:
    """The mask of that type for the tokenizer's template.

    Raises SpecInvalid where the template does not write conversations in the way that the type relies on.
    """
    if kind == "distill_qwen":
        return _LastMessage(tokenizer)
    try:
        frame = _Frame.of(tokenizer)
        mask: LossMask = _EachAlone(tokenizer, frame) if kind == "qwen" else _EachAsLast(tokenizer, frame)
        mask(_PROBES)
    except (TemplateError, TemplateUnfit) as error:
        raise SpecInvalid.at(
            "data.loss_mask_type",
            kind,
            f"the chat template of this model cannot be used with the loss mask {kind!r}: {error}",
            "use distill_qwen, which works with every template, or a model with a ChatML template",
        ) from error
    return mask


def writes_like_the_template(mask: LossMask, tokenizer: ChatTokenizer) -> bool:
    """Whether training sees two exchanges exactly as inference would write them."""
    return mask(_PROBES).text == tokenizer.render(_PROBES.messages)


class TemplateUnfit(Exception):
    """The template breaks an assumption of the mask, always or for one conversation."""


@dataclass(frozen=True)
class _Frame:
    """What a template writes around messages: once at the start (a default system prompt, a begin-of-text token), and
    before each answer (the generation prompt, which is the assistant's header)."""

    opening: str
    header: str

    @classmethod
    def of(cls, tokenizer: ChatTokenizer) -> _Frame:
        once, twice = tokenizer.render([_PROBE]), tokenizer.render([_PROBE, _PROBE])
        opening = once[: 2 * len(once) - len(twice)]
        if twice != once + once[len(opening) :]:
            raise TemplateUnfit("it does not write the same message twice in the same way")
        prompt = tokenizer.render([_PROBE], add_generation_prompt=True)
        if not prompt.startswith(once) or prompt == once:
            raise TemplateUnfit("it adds no generation prompt behind the last message")
        return cls(opening, prompt[len(once) :])

    def without_opening(self, text: str) -> str:
        if not text.startswith(self.opening):
            raise TemplateUnfit("the text before the first message depends on that message")
        return text[len(self.opening) :]


class _EachAlone:
    """`qwen`."""

    def __init__(self, tokenizer: ChatTokenizer, frame: _Frame) -> None:
        self._tokenizer = tokenizer
        self._frame = frame

    def __call__(self, conversation: Conversation) -> Rendering:
        pieces = [self._tokenizer.render([message]) for message in conversation.messages]
        first, rest = pieces[0], zip(conversation.messages[1:], pieces[1:], strict=True)
        # A system message is written without the default system prompt: it takes its place.
        texts = [first, *(text if m.role == "system" else self._frame.without_opening(text) for m, text in rest)]
        return _joined(conversation.messages, texts, self._frame)


class _EachAsLast:
    """`qwen3`."""

    def __init__(self, tokenizer: ChatTokenizer, frame: _Frame) -> None:
        self._tokenizer = tokenizer
        self._frame = frame
        self._before = tokenizer.render([_PROBE])
        self._behind = frame.without_opening(self._before)

    def __call__(self, conversation: Conversation) -> Rendering:
        first = self._tokenizer.render([conversation.messages[0], _PROBE])
        if not first.endswith(self._behind):
            raise TemplateUnfit("it rewrites a message that follows the first one")
        texts = [first.removesuffix(self._behind), *(self._as_last(message) for message in conversation.messages[1:])]
        return _joined(conversation.messages, texts, self._frame)

    def _as_last(self, message: Message) -> str:
        text = self._tokenizer.render([_PROBE, message])
        if not text.startswith(self._before):
            raise TemplateUnfit("it rewrites a message that precedes the last one")
        return text[len(self._before) :]


class _LastMessage:
    """`distill_qwen`."""

    def __init__(self, tokenizer: ChatTokenizer) -> None:
        self._tokenizer = tokenizer

    def __call__(self, conversation: Conversation) -> Rendering:
        *before, last = conversation.messages
        prompt = self._tokenizer.render(before, add_generation_prompt=True) if before else ""
        answer = last.content
        if prompt.endswith(_THINK):
            # Templates that open the think block themselves would open it twice.
            answer = answer.removeprefix(_THINK)
        text = prompt + answer + self._tokenizer.end_of_turn
        return Rendering(text, ((len(prompt), len(text)),) if last.trained else ())


def _joined(messages: tuple[Message, ...], texts: list[str], frame: _Frame) -> Rendering:
    learned: list[tuple[int, int]] = []
    start = 0
    for index, (message, text) in enumerate(zip(messages, texts, strict=True)):
        stop = start + len(text)
        if message.trained:
            opening = frame.opening if index == 0 and text.startswith(frame.opening) else ""
            if not text.startswith(frame.header, len(opening)):
                raise TemplateUnfit(f"an answer does not begin with the generation prompt {frame.header!r}")
            learned.append((start + len(opening) + len(frame.header), stop))
        start = stop
    return Rendering("".join(texts), tuple(learned))
