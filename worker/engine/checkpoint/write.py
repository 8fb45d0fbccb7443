"""This rank's part of one checkpoint: written at once, or beside the training by a process of its own."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from worker.engine.checkpoint.faults import cannot_write, what_failed
from worker.engine.checkpoint.host_copy import HostCopy
from worker.engine.checkpoint.plan import Plan, Source, file_name
from worker.engine.checkpoint.rank_file import Place, as_bytes, write_file
from worker.engine.checkpoint.writer_process import WriterProcess
from worker.engine.platform import Platform


def write_here(plan: Plan, folder: Path) -> Future[list[Place]]:
    """Write now, in this process, one tensor after the other. What goes wrong is told by `exchange`, on all ranks."""
    written: Future[list[Place]] = Future()
    description = plan.description
    objects = (as_bytes(value.read()) for value in description.objects)
    tensors = (tensor for source in description.sources for tensor in _pieces(source))
    try:
        written.set_result(write_file(str(folder / file_name(dist.get_rank())), objects, tensors))
    except Exception as error:
        written.set_exception(error)
    return written


def _pieces(source: Source) -> Iterator[Tensor]:
    flat = source.read().detach().reshape(-1).to("cpu", source.dtype)
    for shard in source.shards:
        # With a storage of its own, or torch.save would write all of the flat tensor.
        yield flat[shard.start : shard.start + shard.numel].clone().view(shard.shape)


class WriterBeside:
    """Memory for a copy of the state, and the process that writes it to disk. One for a whole run."""

    def __init__(self, plan: Plan, platform: Platform) -> None:
        """Begins to make both ready, which takes a second or two, and does not wait for it."""
        self._copy = HostCopy(plan.description.sources, platform.device)
        self._process = WriterProcess(self._copy.fileno, self._copy.tensors())
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="checkpoint")
        self._ready = self._thread.submit(self._copy.prepare)

    def write(self, plan: Plan, folder: Path) -> Future[list[Place]]:
        """Begin to copy, then to write. `plan` may be a newer one of the same tensors. Nobody may be writing."""
        self._ready.result()
        values = [value.read() for value in plan.description.objects]
        self._copy.begin(plan.description.sources)
        return self._thread.submit(self._write, values, str(folder / file_name(dist.get_rank())))

    def before_update(self) -> None:
        self._copy.before_update()

    def take_stall_s(self) -> float:
        return self._copy.take_stall_s()

    def close(self) -> None:
        self._process.close()
        self._thread.shutdown()
        self._process.hang_up()
        self._copy.close()

    def _write(self, values: list[Any], path: str) -> list[Place]:
        self._copy.finish()
        return self._process.write(path, [as_bytes(value) for value in values])


def exchange(written: Future[list[Place]], folder: Path) -> list[list[Place]]:
    """Wait for this rank, then for the others; collective. Returns the places of all ranks' files.

    Raises DiskFull or CheckpointFailed, on all ranks where one could not write.
    """
    mine = _outcome(written)
    outcomes: list[Any] = [mine]
    if dist.get_world_size() > 1:
        outcomes = [None] * dist.get_world_size()
        dist.all_gather_object(outcomes, mine)
    for rank, outcome in enumerate(outcomes):
        if isinstance(outcome, str):
            raise cannot_write(f"rank {rank}: {outcome}", folder) from written.exception()
    return outcomes


def _outcome(written: Future[list[Place]]) -> list[Place] | str:
    error = written.exception()
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        raise error
    return written.result() if error is None else what_failed(error)
