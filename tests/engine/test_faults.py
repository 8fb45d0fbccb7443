"""Whatever is raised becomes an error of our tree with a stable code."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
import torch

from tunedeck.errors import DatasetInvalid, DiskFull, EngineFailed, LossNotFinite, OutOfMemory, RankHung, RankLost
from tunedeck.fault import Fault, FaultScene, fault_left_at
from tunedeck.run_folder import RunFolder
from worker.engine.faults import classify


def chained() -> RuntimeError:
    error = RuntimeError("cannot save")
    error.__cause__ = OSError(errno.ENOSPC, "No space left on device")
    return error


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (DatasetInvalid("bad row"), DatasetInvalid),
        (MemoryError(), OutOfMemory),
        (torch.OutOfMemoryError("CUDA out of memory"), OutOfMemory),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes"), OutOfMemory),
        (OSError(errno.ENOSPC, "No space left on device"), DiskFull),
        (chained(), DiskFull),
        (RuntimeError("[gloo/transport/tcp/pair.cc:547] Connection closed by peer [127.0.0.1]:2"), RankLost),
        (RuntimeError("[gloo/transport/tcp/unbound_buffer.cc:78] Timed out waiting 1800000ms"), RankHung),
        (
            torch.distributed.DistBackendError("NCCL error: remote process exited or the network failed"),
            RankLost,
        ),
        (RuntimeError("the queue timed out"), EngineFailed),
        (KeyError("x"), EngineFailed),
    ],
)
def test_what_was_raised_is_classified(tmp_path: Path, error: Exception, kind: type) -> None:
    classified = classify(error, RunFolder(tmp_path))
    assert type(classified) is kind
    assert classified.message


def test_the_first_rank_that_fails_is_the_one_that_is_told(tmp_path: Path) -> None:
    file = tmp_path / "fault"
    assert fault_left_at(file) is None
    first = Fault.of(LossNotFinite("the loss of step 3 is nan", "lower it"), FaultScene(rank=2, step=3))
    first.leave_at(file)
    Fault.of(EngineFailed("connection closed by peer"), FaultScene(rank=1)).leave_at(file)
    assert fault_left_at(file) == first
