"""A data set tokenised into a folder of flat files, in the order of its rows, in memory that does not grow with it.

One process reads and judges rows and writes the files; the others render, tokenise and mask. They are spawned, not
forked: the engine that asks for them holds threads and a GPU. They end when their parent does, however it ends.
A small data set is done in this process, because a new one takes longer to start than to work.
"""

from __future__ import annotations

import os
import threading
from array import array
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from itertools import islice
from multiprocessing import get_context, parent_process
from pathlib import Path
from typing import BinaryIO

from tunedeck.component import Component
from tunedeck.conversations import Reading
from tunedeck.conversations.scan import content_sha256, read_conversations
from tunedeck.errors import DatasetInvalid
from tunedeck.spec import LossMaskType
from tunedeck.tokens.encoded_rows import EncodedRows, Row, RowEncoder

CHUNK_ROWS = 256
# So many rows are done before processes are started.
_ROWS_ALONE = 2048
_MAX_PROCESSES = 32

TOKENS, LEARNED, OFFSETS, NUM_LEARNED = "tokens.i32", "learned.u8", "offsets.i64", "num_learned.i32"
# Of stretches of learned tokens whose weight is not 1: pairs of the first token and the one behind the last, and the
# weights. A weight for every token was rejected: most data sets have none, and messages are long.
WEIGHTED, WEIGHTS = "weighted.i64", "weights.f32"


@dataclass(frozen=True)
class TokenSource:
    """What is tokenised: a file and how it is read, with the tokenizer and the template of a model folder."""

    path: Path
    content_sha256: str
    reading: Reading
    model: Path
    loss_mask_type: LossMaskType


class PreparedFigures(Component):
    """`num_rows` counts all rows of the file, `num_samples` those that have something to learn,
    `num_trained_tokens` all tokens that are learned, with whatever weight."""

    num_rows: int
    num_samples: int
    num_tokens: int
    num_trained_tokens: int
    longest_sample_tokens: int
    largest_token_id: int


def prepare(source: TokenSource, target: Path, num_processes: int = 0) -> PreparedFigures:
    """Write the six files into `target`, native byte order; `num_processes` 0: one for each core.

    Raises DatasetInvalid for a row that cannot be read or written, for nothing to learn and for a file that is not the
    one that was registered; ModelInvalid and SpecInvalid for a tokenizer or template that do not fit.
    """
    num_processes = min(num_processes or _num_cores(), _MAX_PROCESSES)
    rows = _Rows(source)
    with _Writer(target) as writer:
        for encoded in _encoded(source, rows, num_processes):
            if encoded.refused[0]:
                raise _refusal(source, *encoded.refused)
            writer.add(encoded)
    if content_sha256(source.path) != source.content_sha256:
        what = f"{source.path} has changed since it was registered"
        raise DatasetInvalid.at("dataset", str(source.path), what, "register the data set again")
    if writer.num_samples == 0:
        what = f"none of the {rows.num_rows} rows of {source.path.name} has anything to learn under this loss mask"
        mend = "check roles, per-message weights and loss_mask_type"
        raise DatasetInvalid.at("dataset", str(source.path), what, mend)
    return writer.figures(rows.num_rows)


def _num_cores() -> int:
    """macOS cannot tell how many of its cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class _Rows:
    """Chunks of the rows that are trained; all rows are counted."""

    def __init__(self, source: TokenSource) -> None:
        self._rows = read_conversations(source.path, source.reading)
        self.num_rows = 0

    def chunks(self, most: int | None = None) -> Iterator[list[Row]]:
        while (most is None or self.num_rows < most) and (rows := list(islice(self._rows, CHUNK_ROWS))):
            self.num_rows += len(rows)
            yield [
                (number, conversation) for number, conversation in rows if conversation and conversation.is_trainable
            ]


def _encoded(source: TokenSource, rows: _Rows, num_processes: int) -> Iterator[EncodedRows]:
    encoder = RowEncoder(source.model, source.loss_mask_type, source.reading)
    alone = None if num_processes == 1 else _ROWS_ALONE
    yield from map(encoder.encode, rows.chunks(alone))
    ahead = next(rows.chunks(), None)
    if ahead is None:
        return
    arguments = (source.model, source.loss_mask_type, source.reading)
    with ProcessPoolExecutor(num_processes, get_context("spawn"), _start, arguments) as pool:
        waiting: deque[Future[EncodedRows]] = deque([pool.submit(_encode, ahead)])
        for chunk in rows.chunks():
            waiting.append(pool.submit(_encode, chunk))
            if len(waiting) > 3 * num_processes:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


_encoder: RowEncoder  # of this process, which has no other task


def _start(model: Path, kind: LossMaskType, reading: Reading) -> None:
    global _encoder
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    _encoder = RowEncoder(model, kind, reading)


def _end_with_parent() -> None:
    """A worker of a pool would wait for ever for a parent that was killed."""
    if parent := parent_process():
        parent.join()
        os._exit(1)


def _encode(rows: Sequence[Row]) -> EncodedRows:
    return _encoder.encode(rows)


def _refusal(source: TokenSource, why: str, row: int) -> DatasetInvalid:
    what = f"{source.path.name}, row {row}: {why}"
    return DatasetInvalid.at("dataset", str(source.path), what, "mend the row, or use another model or loss mask")


class _Writer:
    def __init__(self, target: Path) -> None:
        self._target = target
        self._files: dict[str, BinaryIO] = {}
        self._num_tokens = self._num_trained = self._longest = self._largest = self.num_samples = 0

    def __enter__(self) -> _Writer:
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
        for name, content in (
            (TOKENS, rows.tokens),
            (LEARNED, rows.learned),
            (OFFSETS, offsets.tobytes()),
            (NUM_LEARNED, rows.num_learned),
            (WEIGHTED, array("q", [first_token + at for at in array("q", rows.weighted)]).tobytes()),
            (WEIGHTS, rows.weights),
        ):
            self._files[name].write(content)

    def figures(self, num_rows: int) -> PreparedFigures:
        return PreparedFigures(
            num_rows=num_rows,
            num_samples=self.num_samples,
            num_tokens=self._num_tokens,
            num_trained_tokens=self._num_trained,
            longest_sample_tokens=self._longest,
            largest_token_id=self._largest,
        )
