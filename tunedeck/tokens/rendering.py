"""A conversation as a loss mask writes it: pieces of text, and which stretches of them are learned.

Masks are worked out on text, not on tokens: each type says how a conversation is written and which characters are the
assistant's own. `marked.py` turns that into tokens. Counting tokens, as the recipe does, was rejected: the counts are
wrong where a tokenizer merges across the end of the assistant's header.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from tunedeck.conversations import Conversation


class TemplateUnfit(Exception):
    """The template breaks an assumption of the mask, always or for one conversation."""


class Stretch(NamedTuple):
    """The characters, or the tokens, [start, stop) that are learned, and their weight in the loss."""

    start: int
    stop: int
    weight: float


@dataclass(frozen=True, slots=True)
class Piece:
    """Text that is tokenised on its own, and the stretches of its characters that are learned.

    A token belongs to a stretch when it begins inside. With `reaching_in` it also does when it only ends inside.
    """

    text: str
    learned: tuple[Stretch, ...] = ()
    reaching_in: bool = False


Rendering = tuple[Piece, ...]
LossMask = Callable[[Conversation], Rendering]


def text_of(rendering: Rendering) -> str:
    return "".join(piece.text for piece in rendering)
