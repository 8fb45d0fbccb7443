"""One sample as a person checks it: every token with its text and whether it is learned, beside what the template's own
rendering of the whole conversation would have given.

The command line and the data page both show this view, and it is made by the functions that the engine trains with: a
preview that has its own idea of the tokens was rejected, because it would be believed.
"""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher
from functools import lru_cache

from jinja2 import TemplateError
from pydantic import Field

from tunedeck.conversations import Conversation
from tunedeck.errors import DatasetInvalid
from tunedeck.spec import Component, LossMaskType
from tunedeck.tokens.chat_tokenizer import ChatTokenizer
from tunedeck.tokens.loss_mask import loss_mask
from tunedeck.tokens.marked import mark
from tunedeck.tokens.rendering import TemplateUnfit

# Beyond so many tokens between the first and the last difference, all of them count as different: an exact comparison
# takes time that grows with the square.
_MAX_COMPARED_TOKENS = 4096


class Token(Component):
    """`weight` is that of a trained token in the loss, written only where it is not 1. `differs`: the token is not in
    the other writing of the sample."""

    id: int
    text: str
    trained: bool
    weight: float = Field(default=1.0, exclude_if=lambda weight: weight == 1)
    differs: bool


class TokenView(Component):
    """`tokens` is what is trained. `template_tokens` is the template's own writing, empty where `template_fault` says
    why the template refuses the conversation as a whole."""

    tokens: tuple[Token, ...]
    template_tokens: tuple[Token, ...]
    template_fault: str
    num_trained_tokens: int

    @property
    def equals_template(self) -> bool:
        return not self.template_fault and not any(token.differs for token in (*self.tokens, *self.template_tokens))


def token_view(conversation: Conversation, tokenizer: ChatTokenizer, kind: LossMaskType) -> TokenView:
    """The tokens of one conversation.

    Raises SpecInvalid where the mask does not fit the model's template at all, DatasetInvalid where the template
    refuses this conversation.
    """
    try:
        sample = mark(tokenizer, [loss_mask(kind, tokenizer)(conversation)])[0]
    except (TemplateError, TemplateUnfit) as error:
        what = f"the model's chat template refuses the conversation: {error}"
        raise DatasetInvalid.at("row", "", what, "mend its roles, or use another model") from error
    template_ids, fault = _as_the_template(conversation, tokenizer)
    ids = sample.ids
    ours, theirs = _differences(ids, template_ids)
    none_trained = [0.0] * len(template_ids)
    return TokenView(
        tokens=_tokens(tokenizer, ids, sample.weights(), ours if not fault else [False] * len(ours)),
        template_tokens=_tokens(tokenizer, template_ids, none_trained, theirs),
        template_fault=fault,
        num_trained_tokens=sample.num_learned,
    )


def _as_the_template(conversation: Conversation, tokenizer: ChatTokenizer) -> tuple[list[int], str]:
    try:
        text = tokenizer.render(conversation.messages, conversation.tools)
    except TemplateError as error:
        return [], str(error)
    return tokenizer.encode([text])[0].ids, ""


def _tokens(
    tokenizer: ChatTokenizer, ids: Sequence[int], weights: Sequence[float], differs: Sequence[bool]
) -> tuple[Token, ...]:
    text = lru_cache(maxsize=None)(lambda token: tokenizer.decode([token]))
    return tuple(
        Token(id=token, text=text(token), trained=weight > 0, weight=weight or 1, differs=differing)
        for token, weight, differing in zip(ids, weights, differs, strict=True)
    )


def _differences(ours: Sequence[int], theirs: Sequence[int]) -> tuple[list[bool], list[bool]]:
    """For each token of the two sequences, whether the other one lacks it."""
    head = _common_head(ours, theirs)
    tail = _common_head(ours[head:][::-1], theirs[head:][::-1])
    marks = [True] * len(ours), [True] * len(theirs)
    stops = len(ours) - tail, len(theirs) - tail
    for flags, stop in zip(marks, stops, strict=True):
        flags[:head] = [False] * head
        flags[stop:] = [False] * tail
    if max(stops) - head > _MAX_COMPARED_TOKENS:
        return marks
    matcher = SequenceMatcher(None, ours[head : stops[0]], theirs[head : stops[1]], autojunk=False)
    for block in matcher.get_matching_blocks():
        for flags, start in zip(marks, (block.a, block.b), strict=True):
            flags[head + start : head + start + block.size] = [False] * block.size
    return marks


def _common_head(one: Sequence[int], other: Sequence[int]) -> int:
    length = min(len(one), len(other))
    return next((at for at in range(length) if one[at] != other[at]), length)
