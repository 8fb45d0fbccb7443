"""Several trainings in the same processes, started once: what each needs to be told, and the launch."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.engine.tiny import free_port, start
from tunedeck.resolved import ResolvedSpec


def training(spec: ResolvedSpec, folder: Path, resume_from: Path | None = None) -> dict[str, Any]:
    """One training as several_layouts.py reads it. `resume_from`: a checkpoint; None: from the start."""
    return {
        "spec": spec.model_dump(mode="json"),
        "folder": str(folder),
        "resume_from": str(resume_from or ""),
        "port": free_port(),
    }


def train_together(num_processes: int, trainings: Sequence[dict[str, Any]], root: Path, patience_s: float) -> None:
    """Run them one after the other on `num_processes` ranks; returns when all have ended well."""
    list_file = root / "trainings.json"
    list_file.write_text(json.dumps(trainings))
    process = start(num_processes, "tests.engine.training.several_layouts", str(list_file))
    try:
        output, _ = process.communicate(timeout=patience_s)
    finally:
        process.kill()
    assert process.returncode == 0, output
