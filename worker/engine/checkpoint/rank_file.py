"""The bytes of one file of a checkpoint: objects and tensors one behind the other, each as torch.save writes it.

Used by the training process and by the process beside it, which knows of torch and of nothing else.
"""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from worker.engine.faults import is_disk_full

# (offset, length) of one object or tensor in its file, in bytes.
Place = tuple[int, int]


def as_bytes(value: Any) -> bytes:
    """As megatron-core expects an object: a list of what its shards hold."""
    stream = io.BytesIO()
    torch.save([value], stream)
    return stream.getvalue()


def write_file(path: str, objects: Iterable[bytes], tensors: Iterable[Tensor]) -> list[Place]:
    """Returns the places of objects and tensors, in their order, once they are on the disk.

    Each tensor must have a storage of its own, or more than itself is written. Raises OSError, ENOSPC where the disk is
    full: torch's zip writer covers that up.
    """
    places = []
    try:
        with Path(path).open("wb") as stream:
            for value in objects:
                start = stream.tell()
                stream.write(value)
                places.append((start, stream.tell() - start))
            for tensor in tensors:
                start = stream.tell()
                torch.save(tensor, stream)
                places.append((start, stream.tell() - start))
            stream.flush()
            os.fsync(stream.fileno())
    except Exception as error:
        if is_disk_full(error):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from error
        raise
    return places
