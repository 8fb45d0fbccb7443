from __future__ import annotations

from megatron.core.transformer import TransformerConfig

from tunedeck.resolved import ResolvedSpec
from worker.engine.model.architecture import Architecture


def transformer_config(architecture: Architecture, spec: ResolvedSpec) -> TransformerConfig:
    """Megatron's TransformerConfig for `architecture` as `spec` wants it trained."""
    raise NotImplementedError
