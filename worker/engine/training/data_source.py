"""The data of a run on this rank: opened, split, ordered, packed.

Tokens come from the cache of the host (`tunedeck.tokens.cache`), or without one from the run folder; one rank tokenises
and all map its files. Tokenising on every rank was rejected: eight ranks would do eight times the work on the same
cores and hold eight copies.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from megatron.core import parallel_state

from tunedeck.errors import ModelInvalid
from tunedeck.packing import EpochOrder, Layout, Split, layout_of, split
from tunedeck.resolved import ResolvedSpec
from tunedeck.tokens import ChatTokenizer, loss_mask, writes_like_the_template
from tunedeck.tokens.cache import TokenCache, read_entry
from tunedeck.tokens.preparation import TokenSource
from tunedeck.tokens.token_files import PreparedFigures
from worker.engine.attempt import Attempt
from worker.engine.data import Batch, BatchStream, Packer, Samples

VALIDATION_BATCH_SIZE = 1024


@dataclass(frozen=True)
class DataSource:
    """Opens streams of batches. `facts` are what the plan event tells about the data.

    `validation_packer` is `packer` itself, unless the validation samples come from a data set of their own.
    """

    packer: Packer
    validation_packer: Packer
    parts: Split
    spec: ResolvedSpec
    facts: dict[str, Any]

    def stream(self, num_consumed_samples: int) -> BatchStream:
        """The batches from a position to the end of the run."""
        batching = self.spec.batching
        order = EpochOrder(self.parts.training, self.spec.seed, shuffle=batching.rollout_shuffle)
        remaining_to = batching.train_iters * batching.global_batch_size
        return BatchStream(
            self.packer,
            order,
            batching.global_batch_size,
            first_sample=num_consumed_samples,
            last_sample=remaining_to,
        )

    def validation(self) -> Iterator[Batch]:
        """All validation samples, batch after batch, each made when it is asked for: to pack the held-out part of a
        large data set at once would take minutes and gigabytes."""
        held_out = self.parts.validation
        for start in range(0, len(held_out), VALIDATION_BATCH_SIZE):
            yield self.validation_packer.batch(held_out[start : start + VALIDATION_BATCH_SIZE])


def open_data(attempt: Attempt) -> DataSource:
    """Tokenise, mask and split the data set. Collective; raises DatasetInvalid, ModelInvalid or SpecInvalid."""
    spec = attempt.spec
    tokenizer = ChatTokenizer.load(Path(spec.model.path))
    mask = loss_mask(spec.data.loss_mask_type, tokenizer)
    training, *other = _opened(attempt, _sources(spec))
    packer = _packer(spec, training.samples, tokenizer)
    held_out = spec.data.num_validation_rows
    parts = split(len(training.samples), held_out, spec.seed)
    facts = _facts(training, parts, packer.layout, mask_is_template=writes_like_the_template(mask, tokenizer))
    if not other:
        return DataSource(packer, packer, parts, spec, facts)
    validation = other[0].samples
    parts = Split(parts.training, tuple(range(len(validation))))
    facts["num_validation_samples"] = len(validation)
    return DataSource(packer, _packer(spec, validation, tokenizer), parts, spec, facts)


@dataclass(frozen=True)
class _Opened:
    samples: Samples
    figures: PreparedFigures


def _sources(spec: ResolvedSpec) -> list[TokenSource]:
    """The training data, and the validation data where they are a data set of their own."""
    data, model, kind = spec.data, Path(spec.model.path), spec.data.loss_mask_type
    sources = [TokenSource(Path(data.path), data.content_sha256, data.reading, model, kind)]
    if data.validation_dataset:
        path, reading = Path(data.validation_path), data.validation_reading
        sources.append(TokenSource(path, data.validation_sha256, reading, model, kind))
    return sources


def _opened(attempt: Attempt, sources: list[TokenSource]) -> list[_Opened]:
    """The first rank that comes prepares what is missing, the others wait at its lock."""
    cache = TokenCache(attempt.token_cache or attempt.folder.samples)
    opened = [_open(cache, source, attempt.spec.model.vocab_size) for source in sources]
    if attempt.token_cache is None:
        torch.distributed.barrier()
        # Mapped files stay readable without a name, so that no end of this process can leave them behind.
        if torch.distributed.get_rank() == 0:
            shutil.rmtree(attempt.folder.samples)
    return opened


def _open(cache: TokenCache, source: TokenSource, vocab_size: int) -> _Opened:
    opened = cache.opened(source, lambda folder: _Opened(Samples.open(folder), read_entry(folder).figures))
    _check_vocabulary(opened.figures.largest_token_id, vocab_size)
    return opened


def _check_vocabulary(largest: int, vocab_size: int) -> None:
    if largest >= vocab_size:
        what = f"the tokenizer gives token {largest}, but the model has {vocab_size} embeddings"
        raise ModelInvalid.at("model", largest, what, "use the tokenizer that belongs to the model")


def _packer(spec: ResolvedSpec, samples: Samples, tokenizer: ChatTokenizer) -> Packer:
    return Packer(
        samples,
        layout_of(spec),
        parallel_state.get_data_parallel_rank(),
        tokenizer.pad_id,
        parallel_state.get_context_parallel_rank(),
        spec.parallelism.context_parallel_size,
        per_token_loss=spec.data.calculate_per_token_loss,
        is_page_locked=spec.hardware.device == "cuda",
    )


def _facts(opened: _Opened, parts: Split, layout: Layout, *, mask_is_template: bool) -> dict[str, Any]:
    figures = opened.figures
    lengths_S = np.diff(opened.samples.offsets_S1)
    return {
        "num_rows": figures.num_rows,
        "num_dropped_rows": figures.num_rows - figures.num_samples,
        "num_training_samples": len(parts.training),
        "num_validation_samples": len(parts.validation),
        "num_data_tokens": figures.num_tokens,
        "num_data_trained_tokens": figures.num_trained_tokens,
        "longest_sample_tokens": figures.longest_sample_tokens,
        "num_overlong_samples": int((lengths_S > layout.capacity).sum()),
        "mask_writes_like_the_chat_template": mask_is_template,
    }
