"""A copy of the state in memory that another process can write from, taken while the next step computes.

What a checkpoint holds does not change during forward and backward, only in the update that follows. So the copy may
take until then: on a CPU it is made by another thread, on a GPU by the copy engine, on a stream of its own. The memory
is made once, one copy of what this rank writes, and kept to the end of the run; on a GPU it is page-locked, without
which a copy would neither be fast nor run beside the kernels.

A shared memory below /dev/shm was rejected: containers have 64 MiB of it.
"""

from __future__ import annotations

import mmap
import os
import tempfile
import threading
from collections.abc import Iterable
from contextlib import nullcontext
from pathlib import Path

import psutil
import torch

from tunedeck.errors import OutOfMemory
from worker.engine.checkpoint.plan import Source
from worker.engine.checkpoint.writer_main import TensorPlace

_ALIGNMENT = 64
_PORTABLE = 1  # cudaHostRegisterPortable


class HostCopy:
    """Begun in the main thread, finished in another, waited for in the main thread before the next update."""

    def __init__(self, sources: tuple[Source, ...], device: torch.device) -> None:
        """Reserves the memory. Raises OutOfMemory where the host has too little of it."""
        self._sources = sources
        self._device = device
        self._offsets, self._num_bytes = _offsets(sources)
        _check_memory(self._num_bytes)
        self.fileno = _memory_file(self._num_bytes)
        self._bytes = torch.frombuffer(mmap.mmap(self.fileno, self._num_bytes), dtype=torch.uint8)
        self._copies = [
            self._bytes[offset : offset + _size(source)].view(source.dtype)
            for offset, source in zip(self._offsets, sources, strict=True)
        ]
        self._is_pinned = False
        self._is_issued = threading.Event()
        self._is_issued.set()
        self._stream = torch.cuda.Stream(device) if device.type == "cuda" else None
        self._end: torch.cuda.Event | None = None
        self._stall: tuple[torch.cuda.Event, torch.cuda.Event] | None = None

    def tensors(self) -> list[TensorPlace]:
        """Where the rectangles of all sources lie in the memory, in the order of the sources."""
        return [
            (source.dtype, shard.shape, offset + shard.start * source.dtype.itemsize)
            for offset, source in zip(self._offsets, self._sources, strict=True)
            for shard in source.shards
        ]

    def prepare(self) -> None:
        """Fault the memory in and lock it, which takes a second for each few gigabytes; in any thread, once."""
        self._bytes.zero_()
        if self._stream is None:
            return
        torch.cuda.set_device(self._device)
        code = int(torch.cuda.cudart().cudaHostRegister(self._bytes.data_ptr(), self._num_bytes, _PORTABLE))
        self._is_pinned = code == 0
        if not self._is_pinned:
            print(f"memory for checkpoints cannot be page-locked (CUDA error {code}): copies are slower", flush=True)

    def begin(self, sources: tuple[Source, ...]) -> None:
        """Copy what may not wait, behind all that the device has been asked to do. `sources` are as large as ever."""
        if sources is not self._sources:
            assert [_size(source) for source in sources] == [_size(source) for source in self._sources]
            self._sources = sources
        self._is_issued.clear()
        if self._stream is not None:
            self._stream.wait_stream(torch.cuda.current_stream())
        self._copy(may_wait=False)

    def finish(self) -> None:
        """Copy the rest; returns when everything is there. Not in the main thread."""
        end = None
        try:
            if self._stream is not None:
                torch.cuda.set_device(self._device)
            self._copy(may_wait=True)
            if self._stream is not None:
                # A blocking event: the thread sleeps, where it would else turn in a loop.
                end = torch.cuda.Event(blocking=True)
                end.record(self._stream)
                self._end = end
        finally:
            self._is_issued.set()
        if end is not None:
            end.synchronize()

    def before_update(self) -> None:
        """Nothing that is copied may change before this has returned; on a GPU, in what it is asked to do later."""
        self._is_issued.wait()
        if self._end is None:
            return
        before, after = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        before.record()
        torch.cuda.current_stream().wait_event(self._end)
        after.record()
        self._stall, self._end = (before, after), None

    def take_stall_s(self) -> float:
        """For how long the GPU has waited for the copy since the last call; once it has come past that."""
        if self._stall is None or not self._stall[1].query():
            return 0.0
        before, after = self._stall
        self._stall = None
        return before.elapsed_time(after) / 1000.0

    def close(self) -> None:
        """Give the memory back. Nothing may be under way."""
        self._copies = []
        if self._is_pinned:
            torch.cuda.cudart().cudaHostUnregister(self._bytes.data_ptr())
        os.close(self.fileno)

    @torch.no_grad()
    def _copy(self, *, may_wait: bool) -> None:
        # What is made to be copied is made on this stream too, where its memory is free for the next as soon as it
        # has been copied.
        with torch.cuda.stream(self._stream) if self._stream is not None else nullcontext():
            chosen = [
                (copy, source)
                for copy, source in zip(self._copies, self._sources, strict=True)
                if source.may_wait is may_wait
            ]
            for copy, source in chosen:
                if source.is_made:
                    copy.copy_(source.read().reshape(-1), non_blocking=True)
            lying = [(copy, source.read().reshape(-1)) for copy, source in chosen if not source.is_made]
            if lying:
                copies, values = map(list, zip(*lying, strict=True))
                # One call for all: Python's lock is free while it runs.
                torch._foreach_copy_(copies, values, non_blocking=True)


def _offsets(sources: Iterable[Source]) -> tuple[list[int], int]:
    """The first byte of each source, and the size of all."""
    offsets, end = [], 0
    for source in sources:
        offsets.append(end)
        end += -(-_size(source) // _ALIGNMENT) * _ALIGNMENT
    return offsets, max(end, _ALIGNMENT)


def _size(source: Source) -> int:
    return source.numel * source.dtype.itemsize


def _check_memory(num_bytes: int) -> None:
    available = psutil.virtual_memory().available
    if num_bytes > available:
        raise OutOfMemory(
            f"a copy of what this rank saves takes {num_bytes / 2**30:.1f} GiB of the host's memory, of which "
            f"{available / 2**30:.1f} GiB are left",
            "set checkpointing.async_save to false: checkpoints are then written from where the state lies",
        )


def _memory_file(num_bytes: int) -> int:
    """A file in memory without a name; where there is no such thing, one on the disk without a name."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("checkpoint")
    else:
        descriptor, path = tempfile.mkstemp()
        Path(path).unlink()
    os.ftruncate(descriptor, num_bytes)
    return descriptor
