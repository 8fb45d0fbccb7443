"""From renderings to tokens with their marks: what the trainer learns, and what the token view shows."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

from tokenizers import Encoding

from tunedeck.tokens.chat_tokenizer import ChatTokenizer
from tunedeck.tokens.rendering import Piece, Rendering, Stretch
from tunedeck.tokens.word_table import WordTable

TOKEN_BYTES = 4
# To make the table takes as long as to tokenise some hundred conversations; one conversation is shown without it.
_WORTH_A_TABLE = 64


@dataclass(frozen=True, slots=True)
class MarkedTokens:
    """One sample: its tokens, int32 in native byte order, and the stretches of those that are learned, in order. No id
    is larger than `at_most`."""

    tokens: bytes
    learned: tuple[Stretch, ...]
    at_most: int

    @property
    def ids(self) -> list[int]:
        return array("i", self.tokens).tolist()

    @property
    def num_tokens(self) -> int:
        return len(self.tokens) // TOKEN_BYTES

    @property
    def num_learned(self) -> int:
        return sum(stretch.stop - stretch.start for stretch in self.learned)

    def flags(self) -> bytes:
        """Whether each token is learned, one byte a token."""
        flags = bytearray(self.num_tokens)
        for start, stop, _ in self.learned:
            flags[start:stop] = b"\1" * (stop - start)
        return bytes(flags)

    def weights(self) -> list[float]:
        """The weight of each token in the loss, 0 where it is not learned."""
        weights = [0.0] * self.num_tokens
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
        MarkedTokens(array("i", ids).tobytes(), tuple(_runs(piece, encoding)), max(ids, default=0))
        for piece, encoding in zip(pieces, encodings, strict=True)
        for ids in [encoding.ids]
    ]


def mark_by_words(table: WordTable, piece: Piece) -> MarkedTokens | None:
    """The same with much less work; None where only the definition can tell."""
    words = table.words(piece.text)
    if words is None:
        return None
    ends = _ends(piece, words)
    parts: list[bytes] = []
    learned: list[Stretch] = []
    done = num_tokens = 0
    for start, stop, weight in piece.learned:
        if start == stop:
            continue
        first, behind = bisect_right(ends, start), _num_words_to(stop, piece, words, ends)
        reach = start - (ends[first - 1] if first else 0)
        num_before = table.num_before(words[first], reach, reaching_in=piece.reaching_in) if reach else 0
        if num_before < 0 or behind < 0:
            return None
        parts += (table.tokens(words[done:first]), table.tokens(words[first:behind]))
        begin = num_tokens + len(parts[-2]) // TOKEN_BYTES + num_before
        num_tokens = begin - num_before + len(parts[-1]) // TOKEN_BYTES
        learned.append(Stretch(begin, num_tokens, weight))
        done = behind
    parts.append(table.tokens(words[done:]))
    return MarkedTokens(b"".join(parts), tuple(learned), table.largest_id)


def _ends(piece: Piece, words: Sequence[str]) -> list[int]:
    """Where each word ends, as far as a stretch asks for it: most stretches begin soon and end with the text."""
    asked = [place for start, stop, _ in piece.learned for place in (start, stop) if place < len(piece.text)]
    return list(accumulate(map(len, words[: max(asked) + 1]))) if asked else []


def _num_words_to(stop: int, piece: Piece, words: Sequence[str], ends: Sequence[int]) -> int:
    """How many words end at `stop` or before, -1 where it is in the middle of one."""
    if stop == len(piece.text):
        return len(words)
    at = bisect_left(ends, stop)
    return at + 1 if ends[at] == stop else -1


def _joined(pieces: list[MarkedTokens]) -> MarkedTokens:
    learned: list[Stretch] = []
    behind = 0
    for piece in pieces:
        for first, stop, weight in piece.learned:
            if max(behind + first, 1) < behind + stop:
                learned.append(Stretch(max(behind + first, 1), behind + stop, weight))
        behind += piece.num_tokens
    tokens = b"".join([piece.tokens for piece in pieces])
    return MarkedTokens(tokens, tuple(learned), max(piece.at_most for piece in pieces))


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
