"""What a run leaves on disk for people: checkpoints and artifacts."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tunedeck.component import Component


class CheckpointView(Component):
    attempt: int
    step: int
    format: Literal["dist_checkpointing", "huggingface"]
    path: str
    size_bytes: int
    created_at: float


class ArtifactView(Component):
    """A file below `artifacts/` of an attempt's run folder. `kind` is its first folder, or its own name without one."""

    attempt: int
    kind: str
    path: str = Field(description="below artifacts/")
    size_bytes: int
    changed_at: float
