"""From renderings to tokens with their marks: what the trainer learns, and what the token view shows."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

from tokenizers import Encoding

from tunedeck.tokens.chat_tokenizer import ChatTokenizer
from tunedeck.tokens.rendering import Piece, Rendering, Stretch
from tunedeck.tokens.word_table import WordTable

# To make the table takes as long as to tokenise some hundred conversations; one conversation is shown without it.
_WORTH_A_TABLE = 64


@dataclass(frozen=True, slots=True)
class MarkedTokens:
    """One sample: its token ids, and the stretches of those that are learned, in order."""

    ids: list[int]
    learned: tuple[Stretch, ...]

    @property
    def num_learned(self) -> int:
        return sum(stretch.stop - stretch.start for stretch in self.learned)

    def flags(self) -> list[bool]:
        """Whether each token is learned."""
        flags = [False] * len(self.ids)
        for start, stop, _ in self.learned:
            flags[start:stop] = [True] * (stop - start)
        return flags

    def weights(self) -> list[float]:
        """The weight of each token in the loss, 0 where it is not learned."""
        weights = [0.0] * len(self.ids)
        for start, stop, weight in self.learned:
            weights[start:stop] = [weight] * (stop - start)
        return weights


def mark(tokenizer: ChatTokenizer, renderings: Sequence[Rendering]) -> list[MarkedTokens]:
    """Tokens and marks of each rendering. The first token of a sample is never learned: nothing predicts it."""
    pieces = [piece for rendering in renderings for piece in rendering]
    table = tokenizer.word_table if len(renderings) >= _WORTH_A_TABLE else None
    marked = [table and mark_by_words(table, piece) for piece in pieces]
    left = iter(mark_by_offsets(tokenizer, [piece for piece, done in zip(pieces, marked, strict=True) if not done]))
    whole = iter([done or next(left) for done in marked])
    return [_joined([next(whole) for _ in rendering]) for rendering in renderings]


def mark_by_offsets(tokenizer: ChatTokenizer, pieces: Sequence[Piece]) -> list[MarkedTokens]:
    """The definition: a token is learned by where its text begins, or ends."""
    encodings = tokenizer.encode([piece.text for piece in pieces])
    return [
        MarkedTokens(encoding.ids, tuple(_runs(piece, encoding)))
        for piece, encoding in zip(pieces, encodings, strict=True)
    ]


def mark_by_words(table: WordTable, piece: Piece) -> MarkedTokens | None:
    """The same with much less work; None where only the definition can tell."""
    words = table.words(piece.text)
    if words is None:
        return None
    ends = list(accumulate(map(len, words))) if piece.learned else []
    ids: list[int] = []
    learned: list[Stretch] = []
    done = 0
    for start, stop, weight in piece.learned:
        if start == stop:
            continue
        first, behind = bisect_right(ends, start), bisect_left(ends, stop) + 1
        ids += table.ids(words[done:first])
        reach = start - (ends[first - 1] if first else 0)
        num_before = table.num_before(words[first], reach, reaching_in=piece.reaching_in) if reach else 0
        if num_before < 0 or ends[behind - 1] != stop:
            return None
        begin = len(ids) + num_before
        ids += table.ids(words[first:behind])
        learned.append(Stretch(begin, len(ids), weight))
        done = behind
    ids += table.ids(words[done:])
    return MarkedTokens(ids, tuple(learned))


def _joined(pieces: list[MarkedTokens]) -> MarkedTokens:
    ids: list[int] = []
    learned: list[Stretch] = []
    for piece in pieces:
        start = len(ids)
        ids += piece.ids
        for first, stop, weight in piece.learned:
            if max(start + first, 1) < start + stop:
                learned.append(Stretch(max(start + first, 1), start + stop, weight))
    return MarkedTokens(ids, tuple(learned))


def _runs(piece: Piece, encoding: Encoding) -> Iterator[Stretch]:
    offsets = encoding.offsets
    for start, stop, weight in piece.learned:
        inside = [
            number
            for number, (begin, end) in enumerate(offsets)
            if begin < stop and (begin >= start or (piece.reaching_in and end > start))
        ]
        if inside:
            yield Stretch(inside[0], inside[-1] + 1, weight)
