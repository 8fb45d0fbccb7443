"""Rows of a data set as bytes of tokens and marks: the work that is shared out over processes.

A part of a file goes in as bytes and comes out as bytes: rows and lists of numbers take longer to send than to make.
What only all rows together can tell (numbers of rows, duplicates) is left to who has asked.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from jinja2 import TemplateError

from tunedeck.conversations import Conversation, Reading, Shape
from tunedeck.conversations.checks import Judge, truncated
from tunedeck.conversations.raw_rows import RawRows
from tunedeck.conversations.seen import key_of
from tunedeck.spec import LossMaskType
from tunedeck.tokens.chat_tokenizer import ChatTokenizer
from tunedeck.tokens.loss_mask import loss_mask
from tunedeck.tokens.marked import TOKEN_BYTES, MarkedTokens, mark
from tunedeck.tokens.rendering import Rendering, TemplateUnfit

if TYPE_CHECKING:
    from tunedeck.conversations.files.parts import Part

_MEND_ROW = "mend the row, or use another model or loss mask"


class Refusal(NamedTuple):
    """Why the data set is refused. `row` counts from 1 within its part; `field` is what the error points at."""

    row: int
    field: str
    why: str
    mend: str


@dataclass(frozen=True, slots=True)
class EncodedRows:
    """Samples end to end: `tokens` int32, `learned` one byte a token, `lengths` and `num_learned` int32 a sample.

    Of stretches whose weight is not 1, `weighted` has the first token and the one behind the last, int64, counted from
    the first of these samples, and `weights` the weight, float32.

    Where the policy minds duplicates, `keys` has for every row that stays the key of what it says, its number from 1
    and that of its sample from 1, or 0 where it gives none, uint64 each. No row behind one that is refused is in it.
    """

    num_rows: int
    tokens: bytes
    learned: bytes
    lengths: bytes
    num_learned: bytes
    weighted: bytes
    weights: bytes
    largest_token_id: int
    keys: bytes = b""
    refusal: Refusal | None = None

    def refused(self, refusal: Refusal) -> EncodedRows:
        return replace(self, refusal=refusal)

    def without(self, left_out: frozenset[int]) -> EncodedRows:
        """Without the samples of those numbers from 0; `largest_token_id` stays."""
        lengths = array("i", self.lengths)
        bounds = list(pairwise(accumulate(lengths, initial=0)))
        kept = [bound for number, bound in enumerate(bounds) if number not in left_out]
        num_learned = [num for number, num in enumerate(array("i", self.num_learned)) if number not in left_out]
        weighted, weights = self._weighted_within(kept)
        return replace(
            self,
            tokens=b"".join(self.tokens[TOKEN_BYTES * start : TOKEN_BYTES * stop] for start, stop in kept),
            learned=b"".join(self.learned[start:stop] for start, stop in kept),
            lengths=array("i", [stop - start for start, stop in kept]).tobytes(),
            num_learned=array("i", num_learned).tobytes(),
            weighted=weighted.tobytes(),
            weights=weights.tobytes(),
        )

    def _weighted_within(self, kept: Iterable[tuple[int, int]]) -> tuple[array[int], array[float]]:
        ends = array("q", self.weighted)
        stretches = list(zip(ends[::2], ends[1::2], array("f", self.weights), strict=True))
        weighted, weights, new_start = array("q"), array("f"), 0
        for start, stop in kept:
            for first, behind, weight in stretches:
                if start <= first < stop:
                    weighted.extend((new_start + first - start, new_start + behind - start))
                    weights.append(weight)
            new_start += stop - start
        return weighted, weights


class _Refused(Exception):
    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.why)
        self.refusal = refusal


class _Row(NamedTuple):
    number: int
    conversation: Conversation
    rendering: Rendering


class RowEncoder:
    """Reader, judge, tokenizer and mask of one process. A process that does not begin with the file's first row is told
    the shape that was found."""

    def __init__(
        self, model: Path, kind: LossMaskType, path: Path, reading: Reading, shape: Shape | None = None
    ) -> None:
        self._tokenizer = ChatTokenizer.load(model)
        self._mask = loss_mask(kind, self._tokenizer)
        self._policy = reading.policy
        self._most = reading.max_tokens
        self._rows = RawRows(path, reading, Judge(reading, is_forgetful=True), shape)
        self._minds_duplicates = reading.policy.duplicate != "keep"
        self._largest_token_id = 0

    @property
    def shape(self) -> Shape | None:
        """None while no row could be read."""
        return self._rows.shape

    def encode(self, part: Part, num_rows_before: int = 0) -> EncodedRows:
        """Samples with nothing to learn are left out. Raises DatasetInvalid where the first row has no known shape."""
        rows: list[_Row] = []
        keys: list[tuple[int, int]] = []
        number, refusal = 0, None
        try:
            for number, conversation in self._conversations(part, num_rows_before):
                if conversation is not None and self._minds_duplicates:
                    keys.append((key_of(conversation), number))
                if conversation is not None and conversation.is_trainable:
                    rows.append(_Row(number, conversation, self._mask(conversation)))
        except _Refused as refused:
            refusal = refused.refusal
        except (TemplateError, TemplateUnfit) as error:
            refusal = Refusal(number, "dataset", f"the model's chat template refuses it: {error}", _MEND_ROW)
        except MemoryError:
            mend = "split such conversations, or leave them out"
            refusal = Refusal(number + 1, "path", "it needs more memory than there is", mend)
        return self._encoded(number, rows, keys, refusal)

    def _conversations(self, part: Part, num_rows_before: int) -> Iterator[tuple[int, Conversation | None]]:
        """What is trained of each row. Raises _Refused."""
        for number, raw in enumerate(part.rows(), 1):
            verdict = self._rows.verdict(num_rows_before + number, raw)
            if fault := verdict.refused_by(self._policy):
                raise _Refused(Refusal(number, "path", fault.message, fault.mend))
            yield number, verdict.conversation

    def _encoded(
        self, num_rows: int, rows: list[_Row], keys: list[tuple[int, int]], refusal: Refusal | None
    ) -> EncodedRows:
        kept: dict[int, MarkedTokens] = {}
        for row, sample in zip(rows, mark(self._tokenizer, [row.rendering for row in rows]), strict=True):
            fitting = self._fitted(row.conversation, sample)
            if fitting is None and self._policy.overlong == "fail":
                why = f"it has {sample.num_tokens:,} tokens, more than the {self._most:,} of max_tokens"
                refusal = Refusal(row.number, "dataset", why, _MEND_ROW)
                break
            if fitting is not None and fitting.learned:
                kept[row.number] = fitting
        packed = _packed(num_rows, list(kept.values()), self._largest_token_id)
        self._largest_token_id = packed.largest_token_id
        return replace(packed, keys=_packed_keys(keys, list(kept), refusal), refusal=refusal)

    def _fitted(self, conversation: Conversation, sample: MarkedTokens) -> MarkedTokens | None:
        """The sample as the policy for overlong rows leaves it, None where it is not trained."""
        if self._most is None or sample.num_tokens <= self._most or self._policy.overlong == "keep":
            return sample
        if self._policy.overlong != "truncate":
            return None
        shorter = truncated(conversation, len(conversation.messages) - 1)
        if shorter is None:
            return None
        return self._fitted(shorter, mark(self._tokenizer, [self._mask(shorter)])[0])


def _packed(num_rows: int, samples: Sequence[MarkedTokens], largest_before: int) -> EncodedRows:
    num_tokens, weighted, weights = 0, array("q"), array("f")
    for sample in samples:
        for start, stop, weight in sample.learned:
            if weight != 1:
                weighted.extend((num_tokens + start, num_tokens + stop))
                weights.append(weight)
        num_tokens += sample.num_tokens
    tokens = b"".join([sample.tokens for sample in samples])
    largest = largest_before
    # To look at every token would take a tenth of all the time.
    if max((sample.at_most for sample in samples), default=0) > largest:
        largest = max(largest, max(array("i", tokens), default=0))
    return EncodedRows(
        num_rows=num_rows,
        tokens=tokens,
        learned=b"".join([sample.flags() for sample in samples]),
        lengths=array("i", [sample.num_tokens for sample in samples]).tobytes(),
        num_learned=array("i", [sample.num_learned for sample in samples]).tobytes(),
        weighted=weighted.tobytes(),
        weights=weights.tobytes(),
        largest_token_id=largest,
    )


def _packed_keys(keys: Sequence[tuple[int, int]], rows_of_samples: list[int], refusal: Refusal | None) -> bytes:
    sample_of = {row: sample for sample, row in enumerate(rows_of_samples, 1)}
    packed = array("Q")
    for key, row in keys:
        if refusal is None or row < refusal.row:
            packed.extend((key, row, sample_of.get(row, 0)))
    return packed.tobytes()
