"""Why a run failed and where it stood: what ranks, supervisor, REST and pages all say of a failure.

Only rank 0 writes events. Any other process of the attempt that knows the reason leaves it in `control/fault`, before
its own end, or the end that it brings about, can break what rank 0 is doing. The first one wins: what others see later
are consequences. A collective exchange was rejected: a rank that failed cannot take part in one.
"""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import Field, ValidationError

from tunedeck.errors import TunedeckError
from tunedeck.spec import Component


class FaultScene(Component):
    """Where a rank stood. None and "" are what nobody could tell."""

    rank: int | None = None
    step: int | None = Field(None, description="the step under way, from 1; 0: before the first")
    doing: str = Field("", description="what it did in that step, or before it")
    memory_bytes: int | None = Field(None, description="of the rank: allocated on a GPU, resident on a CPU")
    peak_memory_bytes: int | None = None
    total_memory_bytes: int | None = Field(None, description="what the GPU, or the host, has")


class Fault(Component):
    """Code, message and mend of errors.py, and the scene."""

    code: str
    message: str
    mend: str
    scene: FaultScene = FaultScene()

    @classmethod
    def of(cls, error: TunedeckError, scene: FaultScene) -> Fault:
        return cls(code=error.code, message=error.message, mend=error.mend, scene=scene)

    def leave_at(self, path: Path) -> None:
        """Write it to a file, unless somebody was first. May raise OSError."""
        try:
            file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        except FileExistsError:
            return
        with os.fdopen(file, "w", encoding="utf-8") as stream:
            stream.write(self.model_dump_json())


def fault_left_at(path: Path) -> Fault | None:
    """What `leave_at` wrote; None where there is nothing, or nothing complete."""
    try:
        return Fault.model_validate_json(path.read_bytes())
    except (FileNotFoundError, ValidationError):
        return None
