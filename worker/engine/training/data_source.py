"""The data of a run on this rank: opened, split, ordered, packed.

Rank 0 alone reads and tokenises; the other ranks map its arrays from the run folder. Tokenising on every rank was
rejected: eight ranks would do eight times the work on the same cores and hold eight copies.
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

from tunedeck.conversations.scan import content_sha256
from tunedeck.errors import DatasetInvalid
from tunedeck.packing import EpochOrder, Layout, Split, layout_of, split
from tunedeck.resolved import ResolvedSpec
from tunedeck.run_folder import RunFolder
from tunedeck.tokens import ChatTokenizer, loss_mask, writes_like_the_template
from worker.engine.data import Batch, BatchStream, Packer, Samples, tokenize

VALIDATION_BATCH_SIZE = 1024


@dataclass(frozen=True)
class DataSource:
    """Opens streams of batches. `facts` are what the plan event tells about the data."""

    packer: Packer
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
            yield self.packer.batch(held_out[start : start + VALIDATION_BATCH_SIZE])


def open_data(spec: ResolvedSpec, folder: RunFolder) -> DataSource:
    """Read, tokenise, mask and split the data set. Collective; raises DatasetInvalid, ModelInvalid or SpecInvalid."""
    tokenizer = ChatTokenizer.load(Path(spec.model.path))
    mask = loss_mask(spec.data.loss_mask_type, tokenizer)
    samples = _shared_samples(spec, folder, tokenizer, mask)
    parts = split(len(samples), spec.data.num_validation_rows, spec.seed)
    layout = layout_of(spec)
    packer = Packer(
        samples,
        layout,
        parallel_state.get_data_parallel_rank(),
        tokenizer.pad_id,
        parallel_state.get_context_parallel_rank(),
        spec.parallelism.context_parallel_size,
        per_token_loss=spec.data.calculate_per_token_loss,
    )
    facts = _facts(samples, parts, layout, mask_is_template=writes_like_the_template(mask, tokenizer))
    return DataSource(packer, parts, spec, facts)


def _shared_samples(spec: ResolvedSpec, folder: RunFolder, tokenizer: ChatTokenizer, mask: Any) -> Samples:
    samples = _read(spec, tokenizer, mask) if torch.distributed.get_rank() == 0 else None
    if torch.distributed.get_world_size() == 1 and samples:
        return samples
    if samples:
        samples.save(folder.samples)
    torch.distributed.barrier()
    samples = Samples.open(folder.samples)
    torch.distributed.barrier()
    if torch.distributed.get_rank() == 0:
        # Mapped files stay readable without a name, so that no end of this process can leave them behind.
        shutil.rmtree(folder.samples)
    return samples


def _read(spec: ResolvedSpec, tokenizer: ChatTokenizer, mask: Any) -> Samples:
    path = Path(spec.data.path)
    samples = tokenize(path, tokenizer, mask, spec.model.vocab_size, spec.data.reading)
    if content_sha256(path) != spec.data.content_sha256:
        what = f"{path} has changed since it was registered"
        raise DatasetInvalid.at("dataset", str(path), what, "register the data set again")
    return samples


def _facts(samples: Samples, parts: Split, layout: Layout, *, mask_is_template: bool) -> dict[str, Any]:
    lengths_S = np.diff(samples.offsets_S1)
    return {
        "num_rows": samples.num_rows,
        "num_dropped_rows": samples.num_dropped,
        "num_training_samples": len(parts.training),
        "num_validation_samples": len(parts.validation),
        "num_data_tokens": int(lengths_S.sum()),
        "num_data_trained_tokens": int(samples.num_learned_S.sum()),
        "longest_sample_tokens": int(lengths_S.max()),
        "num_overlong_samples": int((lengths_S > layout.capacity).sum()),
        "mask_writes_like_the_chat_template": mask_is_template,
    }
