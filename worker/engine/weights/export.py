from __future__ import annotations

from pathlib import Path

from megatron.core.transformer.module import MegatronModule

from worker.engine.model import Architecture


def export_hf(
    model_chunks: list[MegatronModule], architecture: Architecture, source_path: Path, target_path: Path
) -> None:
    """Write the model as a Hugging Face folder; collective over all ranks, complete when it returns."""
    raise NotImplementedError
