"""A record of CUDA allocations with their stacks, written at the end and at the moment the memory runs out, for
https://pytorch.org/memory_viz. The CPU's allocator keeps no such record; resolve refuses the wish there.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from tunedeck.resolved import ResolvedSpec
from tunedeck.run_folder import RunFolder

MAX_ENTRIES = 100_000


class MemoryHistory:
    """One rank's record, from now on. Snapshots are `rankR-oom.pickle` and `rankR-end.pickle` in `folder`."""

    def __init__(self, folder: Path, rank: int) -> None:
        self._folder = folder
        self._rank = rank
        folder.mkdir(parents=True, exist_ok=True)
        torch.cuda.memory._record_memory_history(max_entries=MAX_ENTRIES)
        # Called by the allocator before it raises: afterwards the stack unwinds and frees what filled the memory.
        torch._C._cuda_attach_out_of_memory_observer(self._out_of_memory)  # type: ignore[attr-defined]

    def close(self) -> None:
        self._dump("end")
        torch.cuda.memory._record_memory_history(enabled=None)

    def _out_of_memory(self, device: int, *sizes: Any) -> None:
        self._dump("oom")

    def _dump(self, when: str) -> None:
        torch.cuda.memory._dump_snapshot(str(self._folder / f"rank{self._rank}-{when}.pickle"))


@contextmanager
def memory_recorded(spec: ResolvedSpec, folder: RunFolder) -> Iterator[None]:
    """Where `spec.tracking` asks for it. Around the loading too: the weights may be what does not fit."""
    if not spec.tracking.record_memory_history:
        yield
        return
    history = MemoryHistory(folder.memory, torch.distributed.get_rank())
    try:
        yield
    finally:
        history.close()
