"""Which part of a conversation is learned: the types of the recipe that we follow (slime), by its names.

Wherever the recipe's own code can write a conversation, tokens and masks are the same, token for token. `{% generation
%}` marks in templates were rejected: none of the models that we know carries them.
"""

from __future__ import annotations

from jinja2 import TemplateError

from tunedeck.conversations import Conversation, Message
from tunedeck.errors import SpecInvalid
from tunedeck.spec import LossMaskType
from tunedeck.tokens.chat_tokenizer import ChatTokenizer
from tunedeck.tokens.each_message import PROBE, EachAlone, EachAsLast
from tunedeck.tokens.rendering import LossMask, TemplateUnfit, text_of
from tunedeck.tokens.whole_conversation import AsTheTemplateWrites, LastMessage

_ANSWER = Message("assistant", "A, E, I, O and U.", 1.0)
_PROBES = Conversation((PROBE, _ANSWER, PROBE, _ANSWER))
# DeepSeek's distilled models have it. The recipe then takes `distill_qwen` for `qwen`.
_DISTILLED = "<｜Assistant｜>"


def loss_mask(kind: LossMaskType, tokenizer: ChatTokenizer) -> LossMask:
    """The mask of that type for the tokenizer's template.

    Raises SpecInvalid where the template does not write conversations in the way that the type relies on.
    """
    try:
        mask = _mask(kind, tokenizer)
        mask(_PROBES)
    except (TemplateError, TemplateUnfit) as error:
        raise SpecInvalid.at(
            "data.loss_mask_type",
            kind,
            f"the chat template of this model cannot be used with the loss mask {kind!r}: {error}",
            "use distill_qwen, which works with every template, or a model with a ChatML template",
        ) from error
    return mask


def _mask(kind: LossMaskType, tokenizer: ChatTokenizer) -> LossMask:
    if kind == "distill_qwen" or (kind == "qwen" and tokenizer.has_token(_DISTILLED)):
        return LastMessage(tokenizer)
    if kind == "qwen":
        return EachAlone(tokenizer)
    if kind == "qwen3":
        return EachAsLast(tokenizer)
    return AsTheTemplateWrites(tokenizer)


def writes_like_the_template(mask: LossMask, tokenizer: ChatTokenizer) -> bool:
    """Whether training sees two exchanges exactly as inference would write them."""
    return text_of(mask(_PROBES)) == tokenizer.render(_PROBES.messages)
