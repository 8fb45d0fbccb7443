"""Writes the files of one checkpoint, in this process or in one beside it, while training goes on.

Planning, file format and completion are megatron-core's (`AsyncRequest`); only the process that writes is ours, because
its own callers do not serve here (0.16.1, and 0.19.2 with `async_strategy="mcore"`): the temporary one waits for ever
when one of its writers is killed and costs an all-reduce in every step, the persistent one divides by the number of
GPUs. nvidia-resiliency-ext, which 0.19 prefers, needs CUDA.

The process is forked, so that it sees the state as it was at that moment: tensors of a CPU by copy-on-write, those of a
GPU as the copies that megatron-core makes in host memory just before. It uses no GPU and talks to no other rank.
"""

from __future__ import annotations

import errno
import gc
import inspect
import multiprocessing
import os
import pickle
import queue
import signal
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import torch
from megatron.core import dist_checkpointing
from megatron.core.dist_checkpointing.strategies import filesystem_async
from megatron.core.dist_checkpointing.strategies.filesystem_async import FileSystemWriterAsync
from megatron.core.dist_checkpointing.strategies.torch import TorchDistSaveShardedStrategy
from torch.distributed.checkpoint.api import CheckpointException

from worker.engine.faults import is_disk_full
from worker.engine.process import die_with_parent
from worker.engine.training.checkpoint_faults import cannot_write, what_failed

_LOWEST_PRIORITY = 19


class CheckpointWriter:
    """Begins checkpoints. One object serves a whole run: from the third checkpoint on its plan is not made again."""

    def __init__(self) -> None:
        # Megatron hands results from one function of this process to another through a Manager, which is a new process
        # that imports the whole engine again: 5 s. Under our own process a queue is enough.
        for name in ("_get_write_results_queue", "get_write_results_queue"):
            if hasattr(filesystem_async, name):
                setattr(filesystem_async, name, queue.Queue)
        self._strategy = TorchDistSaveShardedStrategy("torch_dist", 1, thread_count=1, cached_metadata=True)
        self._is_first = True
        # From 0.19 on the default is nvidia-resiliency-ext.
        has_strategies = "async_strategy" in inspect.signature(dist_checkpointing.save).parameters
        self._settings: dict[str, Any] = {"async_strategy": "mcore"} if has_strategies else {}

    def begin(self, content: dict[str, Any], metadata: dict[str, Any], folder: Path) -> Write:
        """Plan a checkpoint in an existing folder; collective. Nothing but what all ranks share is written yet."""
        request = dist_checkpointing.save(
            content,
            str(folder),
            sharded_strategy=self._strategy,
            # A comparison of all shards of all ranks; the first checkpoint of a run is as good as any.
            validate_access_integrity=self._is_first,
            async_sharded_save=True,
            content_metadata=metadata,
            **self._settings,
        )
        self._is_first = False
        return Write(request, folder)


class Write:
    """This rank's share of one checkpoint: `here` or `beside`, then, once all ranks have written, `complete`."""

    def __init__(self, request: Any, folder: Path) -> None:
        self._folder = folder
        self._finalize: list[Callable[[], None]] = request.finalize_fns
        self._results: queue.Queue[Any] | None = None
        self._process: BaseProcess | None = None
        self._connection: Connection | None = None
        # Held until the end: a GPU's host copies may lie in memory that a forked process shares rather than copies.
        self._buckets: list[Any] = []
        if request.async_fn is not None:
            self._results = request.async_fn_args[2]
            self._transforms = request.async_fn.args[0]
            self._buckets = request.preload_fn()

    def here(self) -> None:
        """Write now, in this process. What goes wrong is raised by `complete`, on all ranks."""
        if self._results is not None:
            self._results.put(_write(self._transforms, self._buckets))

    def beside(self) -> None:
        """Write in a process of its own; returns at once."""
        if self._results is None:
            return
        context = multiprocessing.get_context("fork")
        self._connection, theirs = context.Pipe(duplex=False)
        # Daemon: a rank that fails shall not wait for it.
        self._process = context.Process(
            target=_write_beside, args=(theirs, self._transforms, self._buckets), name="checkpoint", daemon=True
        )
        self._process.start()
        theirs.close()

    def is_writing(self) -> bool:
        """Whether the process of this rank still works. What it says, or its death, is taken note of here."""
        if self._connection is not None and self._connection.poll():
            self._take_results()
        return self._connection is not None

    def wait(self) -> None:
        """Returns when the process of this rank has ended, well or not."""
        if self._connection is not None:
            self._take_results()

    def complete(self) -> None:
        """Write what makes the files a checkpoint; collective, once no rank writes any more.

        Raises DiskFull or CheckpointFailed, on all ranks where one could not write.
        """
        try:
            for finalize in self._finalize:
                finalize()
        except CheckpointException as error:  # a BaseException, which nothing else would catch
            raise cannot_write(what_failed(error), self._folder) from error

    def _take_results(self) -> None:
        assert self._connection is not None and self._process is not None and self._results is not None
        try:
            results = self._connection.recv()
        except (EOFError, pickle.UnpicklingError):
            results = None
        self._connection.close()
        self._connection = None
        self._process.join()
        self._results.put(_died(self._process.exitcode) if results is None else results)


def _died(exitcode: int | None) -> RuntimeError:
    how = f"signal {signal.Signals(-exitcode).name}" if exitcode and exitcode < 0 else f"return code {exitcode}"
    return RuntimeError(f"the process that wrote the checkpoint ended with {how}")


def _write_beside(connection: Connection, transforms: Any, buckets: list[Any]) -> None:
    die_with_parent()
    # Tensors of the parent must not be freed here: their destructors may call CUDA, which does not survive a fork.
    gc.disable()
    os.nice(_LOWEST_PRIORITY)
    # The threads of the parent's pool do not exist here, and waiting for them would be for ever.
    torch.set_num_threads(1)
    connection.send(_write(transforms, buckets))


def _write(transforms: Any, buckets: list[Any]) -> dict[int, Any] | Exception:
    """What megatron-core calls the write results: a list for each bucket (file), or the first fault."""
    results: dict[int, Any] = {}
    for index, bucket in enumerate(buckets):
        told: queue.Queue[Any] = queue.Queue()
        counted: queue.Queue[int] = queue.Queue()
        counted.put(index)
        FileSystemWriterAsync.write_preloaded_data(transforms, index, bucket, told, counted, use_fsync=True)
        _, result = told.get()
        if isinstance(result, Exception):
            # torch's zip writer covers the OSError up, and only the text of an error reaches the other ranks.
            return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) if is_disk_full(result) else result
        results[index] = result
    return results
