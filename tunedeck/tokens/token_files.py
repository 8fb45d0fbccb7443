"""The flat files of a tokenised data set, native byte order, in the order of its rows."""

from __future__ import annotations

from array import array
from pathlib import Path
from typing import BinaryIO

from tunedeck.component import Component
from tunedeck.tokens.encoded_rows import EncodedRows

TOKENS, LEARNED, OFFSETS, NUM_LEARNED = "tokens.i32", "learned.u8", "offsets.i64", "num_learned.i32"
# Of stretches of learned tokens whose weight is not 1: pairs of the first token and the one behind the last, and the
# weights. A weight for every token was rejected: most data sets have none, and messages are long.
WEIGHTED, WEIGHTS = "weighted.i64", "weights.f32"


class PreparedFigures(Component):
    """`num_rows` counts all rows of the file, `num_samples` those that have something to learn,
    `num_trained_tokens` all tokens that are learned, with whatever weight."""

    num_rows: int
    num_samples: int
    num_tokens: int
    num_trained_tokens: int
    longest_sample_tokens: int
    largest_token_id: int


class TokenFiles:
    """Writes them; a context."""

    def __init__(self, target: Path) -> None:
        self._target = target
        self._files: dict[str, BinaryIO] = {}
        self.num_rows = self.num_samples = 0
        self._num_tokens = self._num_trained = self._longest = self._largest = 0

    def __enter__(self) -> TokenFiles:
        names = (TOKENS, LEARNED, OFFSETS, NUM_LEARNED, WEIGHTED, WEIGHTS)
        self._files = {name: (self._target / name).open("wb") for name in names}
        self._files[OFFSETS].write(array("q", [0]).tobytes())
        return self

    def __exit__(self, *_: object) -> None:
        for file in self._files.values():
            file.close()

    def add(self, rows: EncodedRows) -> None:
        lengths, num_learned = array("i", rows.lengths), array("i", rows.num_learned)
        offsets, first_token = array("q"), self._num_tokens
        for length in lengths:
            self._num_tokens += length
            offsets.append(self._num_tokens)
        self._num_trained += sum(num_learned)
        self._longest = max(self._longest, *lengths, 0)
        self._largest = max(self._largest, rows.largest_token_id)
        self.num_samples += len(lengths)
        self.num_rows += rows.num_rows
        for name, content in (
            (TOKENS, rows.tokens),
            (LEARNED, rows.learned),
            (OFFSETS, offsets.tobytes()),
            (NUM_LEARNED, rows.num_learned),
            (WEIGHTED, array("q", [first_token + at for at in array("q", rows.weighted)]).tobytes()),
            (WEIGHTS, rows.weights),
        ):
            self._files[name].write(content)

    def figures(self) -> PreparedFigures:
        return PreparedFigures(
            num_rows=self.num_rows,
            num_samples=self.num_samples,
            num_tokens=self._num_tokens,
            num_trained_tokens=self._num_trained,
            longest_sample_tokens=self._longest,
            largest_token_id=self._largest,
        )
