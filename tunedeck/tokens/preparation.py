"""A data set tokenised into a folder of flat files, in the order of its rows, in memory that does not grow with it.

One process cuts the file into parts, puts together what comes back, and finds what only all rows together can tell; the
others parse, judge, render, tokenise and mask. They are spawned, not forked: the engine that asks for them holds
threads and a GPU. They end when their parent does, however it ends. A small data set is done in this process, because a
new one takes longer to start than to work.
"""

from __future__ import annotations

import os
import threading
from array import array
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from itertools import chain
from multiprocessing import get_context, parent_process
from pathlib import Path
from typing import TYPE_CHECKING

from tunedeck.conversations import Reading, Shape
from tunedeck.conversations.checks import DUPLICATE
from tunedeck.conversations.faults import no_rows
from tunedeck.conversations.files import open_rows
from tunedeck.conversations.scan import content_sha256
from tunedeck.conversations.seen import Seen
from tunedeck.conversations.shapes import columns_read
from tunedeck.errors import DatasetInvalid
from tunedeck.spec import LossMaskType
from tunedeck.tokens.encoded_rows import EncodedRows, Refusal, RowEncoder
from tunedeck.tokens.token_files import PreparedFigures, TokenFiles

if TYPE_CHECKING:
    from tunedeck.conversations.files.parts import Part

# Large enough that sending costs little, small enough that all that are under way fit into memory.
_PART_BYTES = 1 << 20
# So many rows are done before processes are started.
_ROWS_ALONE = 4096
_MAX_PROCESSES = 32

OnRows = Callable[[int], None]


@dataclass(frozen=True)
class TokenSource:
    """What is tokenised: a file and how it is read, with the tokenizer and the template of a model folder."""

    path: Path
    content_sha256: str
    reading: Reading
    model: Path
    loss_mask_type: LossMaskType


def unheard(_: int) -> None:
    """Nobody wants to know how many rows are done."""


def prepare(source: TokenSource, target: Path, num_processes: int = 0, on_rows: OnRows = unheard) -> PreparedFigures:
    """Write the files of `token_files` into `target`, telling `on_rows` now and then how many rows are done.

    `num_processes` counts those that work beside this one, 0: one for each core; with 1 this one does it all. Raises
    DatasetInvalid for a row that cannot be read or written, for nothing to learn and for a file that is not the one
    that was registered; ModelInvalid and SpecInvalid for a tokenizer or template that do not fit.
    """
    num_processes = min(num_processes or num_cores(), _MAX_PROCESSES)
    seen = Seen()
    with TokenFiles(target) as files:
        for encoded in _encoded(source, num_processes):
            unique = _without_duplicates(encoded, seen, source.reading)
            if unique.refusal:
                raise _invalid(source, unique.refusal, files.num_rows)
            files.add(unique)
            on_rows(files.num_rows)
    if files.num_rows == 0:
        raise no_rows(source.path)
    if content_sha256(source.path) != source.content_sha256:
        what = f"{source.path} has changed since it was registered"
        raise DatasetInvalid.at("dataset", str(source.path), what, "register the data set again")
    if files.num_samples == 0:
        what = f"none of the {files.num_rows} rows of {source.path.name} has anything to learn under this loss mask"
        mend = "check roles, per-message weights and loss_mask_type"
        raise DatasetInvalid.at("dataset", str(source.path), what, mend)
    return files.figures()


def num_cores() -> int:
    """macOS cannot tell how many of its cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _encoded(source: TokenSource, num_processes: int) -> Iterator[EncodedRows]:
    """All parts in order. Raises DatasetInvalid for a file that breaks, behind what was before the break."""
    parts = open_rows(source.path, columns_read(source.reading.columns)).parts(_PART_BYTES)
    encoder = RowEncoder(source.model, source.loss_mask_type, source.path, source.reading)
    num_rows = 0
    for part in parts:
        encoded = encoder.encode(part, num_rows)
        num_rows += encoded.num_rows
        yield encoded
        if num_processes > 1 and num_rows >= _ROWS_ALONE and encoder.shape:
            break
    ahead = next(parts, None)
    if ahead is None:
        return
    arguments = (source.model, source.loss_mask_type, source.path, source.reading, encoder.shape)
    with ProcessPoolExecutor(num_processes, get_context("spawn"), initializer=_start, initargs=arguments) as pool:
        waiting: deque[Future[EncodedRows]] = deque()
        for encoding in _submitted(pool, chain([ahead], parts)):
            waiting.append(encoding)
            if len(waiting) > 3 * num_processes:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _submitted(pool: ProcessPoolExecutor, parts: Iterator[Part]) -> Iterator[Future[EncodedRows]]:
    """A file that breaks does so when its turn comes: a row before may be at fault too."""
    try:
        for part in parts:
            yield pool.submit(_encode, part)
    except DatasetInvalid as fault:
        broken: Future[EncodedRows] = Future()
        broken.set_exception(fault)
        yield broken


_encoder: RowEncoder  # of this process, which has no other task


def _start(model: Path, kind: LossMaskType, path: Path, reading: Reading, shape: Shape | None) -> None:
    global _encoder
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    _encoder = RowEncoder(model, kind, path, reading, shape)


def _end_with_parent() -> None:
    """A worker of a pool would wait for ever for a parent that was killed."""
    if parent := parent_process():
        parent.join()
        os._exit(1)


def _encode(part: Part) -> EncodedRows:
    return _encoder.encode(part)


def _without_duplicates(rows: EncodedRows, seen: Seen, reading: Reading) -> EncodedRows:
    """Rows that say what one before them said, in whatever part, go the way of the policy."""
    left_out: set[int] = set()
    found = array("Q", rows.keys)
    for key, row, sample in zip(found[::3], found[1::3], found[2::3], strict=True):
        if seen.add(key):
            continue
        if reading.policy.duplicate == "fail":
            return rows.refused(Refusal(row, "path", DUPLICATE.message, DUPLICATE.mend))
        if sample:
            left_out.add(sample - 1)
    return rows.without(frozenset(left_out)) if left_out else rows


def _invalid(source: TokenSource, refusal: Refusal, num_rows_before: int) -> DatasetInvalid:
    what = f"{source.path.name}, row {num_rows_before + refusal.row}: {refusal.why}"
    return DatasetInvalid.at(refusal.field, str(source.path), what, refusal.mend)
