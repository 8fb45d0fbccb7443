"""From renderings to tokens with their marks: what the trainer learns, and what the token view shows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tokenizers import Encoding

from tunedeck.tokens.chat_tokenizer import ChatTokenizer
from tunedeck.tokens.rendering import Piece, Rendering


@dataclass(frozen=True, slots=True)
class MarkedTokens:
    """One sample: its token ids, and the runs [first, stop) of those that are learned, in order."""

    ids: list[int]
    learned: tuple[tuple[int, int], ...]

    @property
    def num_learned(self) -> int:
        return sum(stop - first for first, stop in self.learned)

    def flags(self) -> list[bool]:
        """Whether each token is learned."""
        flags = [False] * len(self.ids)
        for first, stop in self.learned:
            flags[first:stop] = [True] * (stop - first)
        return flags


def mark(tokenizer: ChatTokenizer, renderings: Sequence[Rendering]) -> list[MarkedTokens]:
    """Tokens and marks of each rendering. The first token of a sample is never learned: nothing predicts it."""
    encodings = iter(tokenizer.encode([piece.text for rendering in renderings for piece in rendering]))
    return [_sample(rendering, encodings) for rendering in renderings]


def _sample(rendering: Rendering, encodings: Iterator[Encoding]) -> MarkedTokens:
    ids: list[int] = []
    learned: list[tuple[int, int]] = []
    for piece, encoding in zip(rendering, encodings, strict=False):
        start = len(ids)
        ids += encoding.ids
        for first, stop in _runs(piece, encoding):
            begin = max(start + first, 1)
            if begin < start + stop:
                learned.append((begin, start + stop))
    return MarkedTokens(ids, tuple(learned))


def _runs(piece: Piece, encoding: Encoding) -> Iterator[tuple[int, int]]:
    """The definition, token by token."""
    offsets = encoding.offsets
    for start, stop in piece.learned:
        inside = [
            number
            for number, (begin, end) in enumerate(offsets)
            if begin < stop and (begin >= start or (piece.reaching_in and end > start))
        ]
        if inside:
            yield inside[0], inside[-1] + 1
