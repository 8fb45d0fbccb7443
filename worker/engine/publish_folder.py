"""Gives a finished folder its final name, in such an order that not even a power cut leaves half of it under that name.

A rename alone keeps readers of this moment from half a folder; after a power cut the new name may be on disk and the
bytes of the files not. Of a checkpoint only the files of tensors are flushed by who writes them, and safetensors
flushes nothing.
"""

from __future__ import annotations

import os
from pathlib import Path


def publish_folder(unfinished: Path, target: Path) -> None:
    """Flush every file of `unfinished` to the disk, then rename it to `target`, beside it. May raise OSError."""
    for path in (*unfinished.rglob("*"), unfinished):
        _flush(path)
    unfinished.rename(target)
    _flush(target.parent)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
