from __future__ import annotations

from pathlib import Path

from megatron.core.transformer.module import MegatronModule

from worker.engine.model import Architecture


def load_hf(model_chunks: list[MegatronModule], architecture: Architecture, path: Path) -> None:
    """Read the weights of a Hugging Face folder into the chunks of this rank."""
    raise NotImplementedError
