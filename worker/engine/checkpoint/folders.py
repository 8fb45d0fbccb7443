"""The folders of complete checkpoints: their names, their sizes, and which of them go."""

from __future__ import annotations

import shutil
from pathlib import Path


def folder_bytes(folder: Path) -> int:
    """What the files of a folder take on disk."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def remove_old(folder: Path, keep_last: int, kept_step: int = 0) -> list[Path]:
    """Remove all but the newest `keep_last` checkpoints and that of `kept_step` (rank 0 only).

    Returns what was removed, oldest first.
    """
    complete = sorted(path for path in folder.glob("iter_*") if path.is_dir())
    old = [path for path in complete[:-keep_last] if step_of(path) != kept_step]
    for path in old:
        # Renamed first: a folder with a checkpoint's name is never half there.
        doomed = path.with_name(f".{path.name}.removed")
        path.rename(doomed)
        shutil.rmtree(doomed)
    return old


def step_of(checkpoint: Path) -> int:
    """The step in the name of a checkpoint's folder."""
    return int(checkpoint.name.removeprefix("iter_"))
