"""Whatever is raised becomes an error of our tree with a stable code."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
import torch

from tunedeck.errors import DatasetInvalid, DiskFull, EngineFailed, LossNotFinite, OutOfMemory
from worker.engine.faults import classify, report_to_rank_0, reported_fault


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
        (KeyError("x"), EngineFailed),
    ],
)
def test_what_was_raised_is_classified(tmp_path: Path, error: Exception, kind: type) -> None:
    classified = classify(error, tmp_path)
    assert type(classified) is kind
    assert classified.message


def test_the_first_rank_that_fails_is_the_one_that_is_told(tmp_path: Path) -> None:
    file = tmp_path / "fault"
    assert reported_fault(file) is None
    report_to_rank_0(LossNotFinite("the loss of step 3 is nan", "lower it"), 2, file)
    report_to_rank_0(EngineFailed("connection closed by peer"), 1, file)
    assert reported_fault(file) == ("loss_not_finite", "rank 2: the loss of step 3 is nan", "lower it")
