"""Rows of a data set as bytes of tokens and marks: the work that is shared out over processes.

What crosses the border of a process is bytes, because lists of numbers take longer to send than to make.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import TemplateError

from tunedeck.conversations import Conversation, Reading
from tunedeck.conversations.checks import truncated
from tunedeck.spec import LossMaskType
from tunedeck.tokens.chat_tokenizer import ChatTokenizer
from tunedeck.tokens.loss_mask import loss_mask
from tunedeck.tokens.marked import MarkedTokens, mark
from tunedeck.tokens.rendering import Rendering, TemplateUnfit

Row = tuple[int, Conversation]


@dataclass(frozen=True, slots=True)
class EncodedRows:
    """Samples end to end: `tokens` int32, `learned` one byte a token, `lengths` and `num_learned` int32 a sample.

    Of stretches whose weight is not 1, `weighted` has the first token and the one behind the last, int64, counted from
    the first of these samples, and `weights` the weight, float32.

    `refused` names the first row that cannot be written and says why; ("", 0) where there is none.
    """

    tokens: bytes
    learned: bytes
    lengths: bytes
    num_learned: bytes
    weighted: bytes
    weights: bytes
    largest_token_id: int
    refused: tuple[str, int] = ("", 0)


class RowEncoder:
    """Tokenizer and mask of one process."""

    def __init__(self, model: Path, kind: LossMaskType, reading: Reading) -> None:
        self._tokenizer = ChatTokenizer.load(model)
        self._mask = loss_mask(kind, self._tokenizer)
        self._most = reading.max_tokens
        self._when_overlong = reading.policy.overlong

    def encode(self, rows: Sequence[Row]) -> EncodedRows:
        """Samples with nothing to learn are left out; the caller counts rows and samples."""
        rendered: list[tuple[Row, Rendering]] = []
        for row in rows:
            try:
                rendered.append((row, self._mask(row[1])))
            except (TemplateError, TemplateUnfit) as error:
                return _refused(f"the model's chat template refuses it: {error}", row[0])
        samples = mark(self._tokenizer, [rendering for _, rendering in rendered])
        kept: list[MarkedTokens] = []
        for (row, _), sample in zip(rendered, samples, strict=True):
            fitting = self._fitted(row[1], sample)
            if fitting is None and self._when_overlong == "fail":
                return _refused(
                    f"it has {len(sample.ids):,} tokens, more than the {self._most:,} of max_tokens", row[0]
                )
            if fitting is not None and fitting.learned:
                kept.append(fitting)
        return _packed(kept)

    def _fitted(self, conversation: Conversation, sample: MarkedTokens) -> MarkedTokens | None:
        """The sample as the policy for overlong rows leaves it, None where it is not trained."""
        if self._most is None or len(sample.ids) <= self._most or self._when_overlong == "keep":
            return sample
        if self._when_overlong != "truncate":
            return None
        shorter = truncated(conversation, len(conversation.messages) - 1)
        if shorter is None:
            return None
        return self._fitted(shorter, mark(self._tokenizer, [self._mask(shorter)])[0])


def _packed(samples: Sequence[MarkedTokens]) -> EncodedRows:
    tokens, weighted, weights = array("i"), array("q"), array("f")
    for sample in samples:
        for start, stop, weight in sample.learned:
            if weight != 1:
                weighted.extend((len(tokens) + start, len(tokens) + stop))
                weights.append(weight)
        tokens.extend(sample.ids)
    return EncodedRows(
        tokens=tokens.tobytes(),
        learned=b"".join(_flags(sample) for sample in samples),
        lengths=array("i", [len(sample.ids) for sample in samples]).tobytes(),
        num_learned=array("i", [sample.num_learned for sample in samples]).tobytes(),
        weighted=weighted.tobytes(),
        weights=weights.tobytes(),
        largest_token_id=max(tokens, default=0),
    )


def _flags(sample: MarkedTokens) -> bytes:
    flags = bytearray(len(sample.ids))
    for start, stop, _ in sample.learned:
        flags[start:stop] = b"\1" * (stop - start)
    return bytes(flags)


def _refused(why: str, row: int) -> EncodedRows:
    return EncodedRows(b"", b"", b"", b"", b"", b"", 0, (why, row))
