"""What went wrong with a checkpoint, in our words: torch tells it as a BaseException with a traceback of each rank."""

from __future__ import annotations

from pathlib import Path

from torch.distributed.checkpoint.api import CheckpointException

from tunedeck.errors import CheckpointFailed, CheckpointUnreadable, TunedeckError
from worker.engine.faults import disk_full, says_disk_full


def what_failed(error: BaseException) -> str:
    """The first fault of the lowest rank; on other ranks, which are told no more, that there was one."""
    if not isinstance(error, CheckpointException):
        return f"{type(error).__name__}: {error}"
    for rank, (fault, _) in sorted(error.failures.items()):
        return f"rank {rank}: {fault}"
    return "another rank failed"


def cannot_write(what: str, folder: Path) -> TunedeckError:
    if says_disk_full(what):
        return disk_full(folder, what)
    return CheckpointFailed(
        f"the checkpoint {folder.name.strip('.').removesuffix('.partial')} could not be written ({what})",
        "the checkpoint before it is untouched; look at the disk and at the memory of the host, then start again",
    )


def cannot_read(what: str, source: Path) -> TunedeckError:
    return CheckpointUnreadable(
        f"the checkpoint {source} cannot be read ({what})",
        "look at the disk that it lies on; an older checkpoint beside it may still be good",
    )
