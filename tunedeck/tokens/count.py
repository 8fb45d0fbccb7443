"""How many tokens a conversation has as it is trained, for checks that know nothing of templates."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from jinja2 import TemplateError

from tunedeck.conversations import Conversation
from tunedeck.conversations.faults import Faulty
from tunedeck.spec import LossMaskType
from tunedeck.tokens.chat_tokenizer import ChatTokenizer
from tunedeck.tokens.loss_mask import loss_mask
from tunedeck.tokens.marked import mark
from tunedeck.tokens.rendering import TemplateUnfit


def token_counter(model: Path, kind: LossMaskType) -> Callable[[Conversation], int]:
    """Counts; raises Faulty for a conversation that the template refuses. Raises ModelInvalid or SpecInvalid at once
    where model and mask do not fit."""
    tokenizer = ChatTokenizer.load(model)
    write = loss_mask(kind, tokenizer)

    def num_tokens(conversation: Conversation) -> int:
        try:
            return mark(tokenizer, [write(conversation)])[0].num_tokens
        except (TemplateError, TemplateUnfit) as error:
            what = f"the model's chat template refuses it: {error}"
            raise Faulty("malformed", what, "mend the row's roles, or use another model") from error

    return num_tokens
