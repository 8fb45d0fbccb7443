"""What went wrong, as one of our errors, whatever was raised and on whichever rank.

Only rank 0 writes events. A fault on another rank reaches it through one small file, written before that rank's end can
break rank 0's own communication. A collective exchange was rejected: a rank that failed cannot take part in one.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
from pathlib import Path

from tunedeck.errors import DiskFull, EngineFailed, OutOfMemory, TunedeckError

_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_LITTLE_SPACE_BYTES = 32 << 20
_MEND_MEMORY = "lower batching.max_tokens_per_gpu, use more devices, or switch on recompute"
_MEND_DISK = "free some space on this disk, then start the job again"


def classify(error: BaseException, folder: Path) -> TunedeckError:
    """The error of our tree that says best why the engine ends. `folder` lies on the disk that it writes to."""
    if isinstance(error, TunedeckError):
        return error
    text = f"{type(error).__name__}: {error}"
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError" or "can't allocate memory" in text:
        return OutOfMemory(f"out of memory: {error}", _MEND_MEMORY)
    if is_disk_full(error) or shutil.disk_usage(folder).free < _LITTLE_SPACE_BYTES:
        return disk_full(folder, text)
    return EngineFailed(text, "the traceback is at the end of engine.log")


def disk_full(folder: Path, what: str) -> DiskFull:
    return DiskFull(f"no space left on the disk of {folder} ({what})", _MEND_DISK)


def is_disk_full(error: BaseException | None) -> bool:
    """Whether an error, or one that it followed from, tells of a full disk, a used-up quota or a file-size limit."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in _NO_SPACE:
            return True
        if says_disk_full(str(error)):
            return True
        error = error.__cause__ or error.__context__
    return False


def says_disk_full(text: str) -> bool:
    """The same of a text, for errors that came from another process."""
    return any(os.strerror(number) in text for number in _NO_SPACE)


def report_to_rank_0(error: TunedeckError, rank: int, fault_file: Path) -> None:
    """Leave the fault where rank 0 finds it. The first rank wins: what others see later are consequences."""
    try:
        file = os.open(fault_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    except FileExistsError:
        return
    with os.fdopen(file, "w", encoding="utf-8") as stream:
        json.dump({"code": error.code, "message": f"rank {rank}: {error.message}", "mend": error.mend}, stream)


def reported_fault(fault_file: Path) -> tuple[str, str, str] | None:
    """(code, message, mend) of another rank's fault, None where there is none, or none that is complete."""
    try:
        fault = json.loads(fault_file.read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    return fault["code"], fault["message"], fault["mend"]
