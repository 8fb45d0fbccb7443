"""What went wrong, as one of our errors, whatever was raised and on whichever rank.

The text of an error is looked at only where the libraries raise nothing better than RuntimeError.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import sys
from pathlib import Path

from tunedeck.errors import CollectiveFailed, DiskFull, EngineFailed, OutOfMemory, RankHung, RankLost, TunedeckError
from tunedeck.out_of_memory import what_to_try
from tunedeck.run_folder import RunFolder

_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_LITTLE_SPACE_BYTES = 32 << 20
_MEND_DISK = "free some space on this disk, then start the job again"
# What gloo and NCCL say when another rank is gone, and when it does not answer.
_FROM_COMMUNICATION = re.compile(r"gloo|NCCL|DistBackendError")
_PEER_GONE = re.compile(r"[Cc]onnection (closed|reset|refused)|Broken pipe|remote process exited|ncclRemoteError")
_PEER_SILENT = re.compile(r"[Tt]imed out|[Tt]imeout|TIMEOUT")


def classify(error: BaseException, folder: RunFolder) -> TunedeckError:
    """The error of our tree that says best why the engine ends. `folder` lies on the disk that it writes to."""
    if isinstance(error, TunedeckError):
        return error
    text = f"{type(error).__name__}: {error}"
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError" or "can't allocate memory" in text:
        return OutOfMemory(f"out of memory: {error}", what_to_try(folder.spec))
    if is_disk_full(error) or shutil.disk_usage(folder.root).free < _LITTLE_SPACE_BYTES:
        return disk_full(folder.root, text)
    return _of_other_ranks(error, text) or EngineFailed(text, "the traceback is at the end of engine.log")


def _of_other_ranks(error: BaseException, text: str) -> TunedeckError | None:
    if not isinstance(error, RuntimeError) or not _FROM_COMMUNICATION.search(text):
        return None
    if _PEER_GONE.search(text):
        return RankLost(f"another rank is gone ({text})", "engine.log tells what it said last")
    if _PEER_SILENT.search(text):
        return RankHung(f"another rank does not answer ({text})", "engine.log tells what it said last")
    return CollectiveFailed(f"the ranks could not communicate ({text})", "engine.log tells what it said last")


def print_memory_summary() -> None:
    """What PyTorch's allocator holds, into engine.log. Nothing where no GPU was used."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available() and torch.cuda.is_initialized():
        print(torch.cuda.memory_summary(abbreviated=True), file=sys.stderr, flush=True)


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
