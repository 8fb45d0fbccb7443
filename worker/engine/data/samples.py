"""The tokenised data set: every sample that can be learned, end to end in flat arrays.

One rank of a host writes the arrays, all ranks map them into memory, so that eight ranks hold one copy and a data set
may be larger than memory. A list of Python lists was rejected: it takes ten times the space. Samples with nothing to
learn are left out and counted; nothing is truncated.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from jinja2 import TemplateError

from tunedeck.conversations import Conversation, Reading
from tunedeck.conversations.reading import DEFAULT_READING
from tunedeck.conversations.scan import read_conversations
from tunedeck.errors import DatasetInvalid, ModelInvalid
from tunedeck.tokens import ChatTokenizer, LossMask, MarkedTokens, Rendering, TemplateUnfit, mark

# N: tokens of the whole data set; S: samples.

_CHUNK = 512


@dataclass(frozen=True)
class Samples:
    """Sample i is tokens_N[offsets_S1[i] : offsets_S1[i + 1]]; `learned_N` marks the tokens that shall be predicted."""

    tokens_N: np.ndarray
    learned_N: np.ndarray
    offsets_S1: np.ndarray
    num_learned_S: np.ndarray
    num_rows: int

    def __len__(self) -> int:
        return len(self.num_learned_S)

    @property
    def num_dropped(self) -> int:
        return self.num_rows - len(self)

    def length(self, index: int) -> int:
        return int(self.offsets_S1[index + 1] - self.offsets_S1[index])

    def tokens(self, index: int) -> np.ndarray:
        return self.tokens_N[self.offsets_S1[index] : self.offsets_S1[index + 1]]

    def learned(self, index: int) -> np.ndarray:
        return self.learned_N[self.offsets_S1[index] : self.offsets_S1[index + 1]]

    def save(self, folder: Path) -> None:
        """Write one .npy file per array; collective code puts a barrier behind this."""
        folder.mkdir(parents=True, exist_ok=True)
        for name in _ARRAYS:
            np.save(folder / f"{name}.npy", getattr(self, name))
        np.save(folder / "num_rows.npy", np.array(self.num_rows))

    @classmethod
    def open(cls, folder: Path) -> Samples:
        """Map what `save` has written."""
        arrays = {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in _ARRAYS}
        return cls(**arrays, num_rows=int(np.load(folder / "num_rows.npy")))


_ARRAYS = ("tokens_N", "learned_N", "offsets_S1", "num_learned_S")


def tokenize(
    path: Path, tokenizer: ChatTokenizer, mask: LossMask, vocab_size: int, reading: Reading = DEFAULT_READING
) -> Samples:
    """Read, render, encode and mask every row of a data set, in the order of the file.

    Raises DatasetInvalid for a row that cannot be read or that the chat template refuses, ModelInvalid for a token
    outside the model's vocabulary.
    """
    tokens, learned = [], []
    num_rows = 0
    for rows in _chunks(read_conversations(path, reading)):
        first_row, num_rows = num_rows + 1, num_rows + len(rows)
        kept = [_render(path, number, conversation, mask) for number, conversation in enumerate(rows, first_row)]
        for sample in mark(tokenizer, [rendering for rendering in kept if rendering is not None]):
            if sample.num_learned:
                _check_vocabulary(sample, vocab_size)
                tokens.append(np.array(sample.ids, dtype=np.int32))
                learned.append(_marks(sample))
    if not tokens:
        what = f"none of the {num_rows} rows of {path.name} has anything to learn under this loss mask"
        raise DatasetInvalid.at("dataset", str(path), what, "check roles, per-message weights and loss_mask_type")
    return _flat(tokens, learned, num_rows)


def _chunks(rows: Iterable[tuple[int, Conversation | None]]) -> Iterator[list[Conversation | None]]:
    iterator = iter(rows)
    while chunk := [conversation for _, conversation in islice(iterator, _CHUNK)]:
        yield chunk


def _render(path: Path, number: int, conversation: Conversation | None, mask: LossMask) -> Rendering | None:
    if conversation is None:
        return None
    try:
        return mask(conversation)
    except (TemplateError, TemplateUnfit) as error:
        what = f"{path.name}, row {number}: the model's chat template refuses it: {error}"
        raise DatasetInvalid.at("dataset", str(path), what, "mend the row's roles, or use another model") from error


def _marks(sample: MarkedTokens) -> np.ndarray:
    """Bool [L]: the tokens that are learned."""
    marks_L = np.zeros(len(sample.ids), dtype=np.bool_)
    for first, stop in sample.learned:
        marks_L[first:stop] = True
    return marks_L


def _check_vocabulary(sample: MarkedTokens, vocab_size: int) -> None:
    largest = max(sample.ids)
    if largest >= vocab_size:
        what = f"the tokenizer gives token {largest}, but the model has {vocab_size} embeddings"
        raise ModelInvalid.at("model", largest, what, "use the tokenizer that belongs to the model")


def _flat(tokens: list[np.ndarray], learned: list[np.ndarray], num_rows: int) -> Samples:
    lengths = [len(sample) for sample in tokens]
    return Samples(
        tokens_N=np.concatenate(tokens),
        learned_N=np.concatenate(learned),
        offsets_S1=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        num_learned_S=np.array([marks_L.sum() for marks_L in learned], dtype=np.int64),
        num_rows=num_rows,
    )
