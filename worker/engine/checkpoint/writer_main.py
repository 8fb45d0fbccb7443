"""The process that writes checkpoints beside the training, started once by the rank that it writes for.

`python -m worker.engine.checkpoint.writer_main CONNECTION MEMORY PARENT`: two inherited file descriptors and a
process id. MEMORY holds the tensors; what comes over CONNECTION is first the list of them (dtype, shape, first byte),
then, for each checkpoint, (path, objects); what goes back is the list of places or an exception.

A thread was rejected: it would take Python's lock from the training for as long as it writes. So was forking at each
checkpoint: it copies the page tables of a process that holds the training stack, and its threads' locks as they are.
"""

from __future__ import annotations

import mmap
import os
import sys
from multiprocessing.connection import Connection

import torch
from torch import Tensor

from worker.engine.checkpoint.rank_file import Place, write_file
from worker.engine.process import die_with_parent

_LOWEST_PRIORITY = 19

# dtype, shape, first byte
TensorPlace = tuple[torch.dtype, tuple[int, ...], int]


def main(connection_fd: int, memory_fd: int, parent: int) -> None:
    die_with_parent(parent)
    os.nice(_LOWEST_PRIORITY)
    torch.set_num_threads(1)
    memory = mmap.mmap(memory_fd, 0)
    with Connection(connection_fd) as connection:
        try:
            tensors = [_tensor(memory, place) for place in connection.recv()]
            while True:
                path, objects = connection.recv()
                connection.send(_write(path, objects, tensors))
        except (EOFError, ConnectionError):
            return  # the training is over, or it has lost interest


def _tensor(memory: mmap.mmap, place: TensorPlace) -> Tensor:
    """With a storage of its own, so that torch.save writes no more than this."""
    dtype, shape, offset = place
    return torch.frombuffer(memory, dtype=dtype, count=torch.Size(shape).numel(), offset=offset).view(shape)


def _write(path: str, objects: list[bytes], tensors: list[Tensor]) -> list[Place] | Exception:
    try:
        return write_file(path, objects, tensors)
    except Exception as error:  # told to the training, which raises it
        return error if isinstance(error, OSError) else RuntimeError(f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
