from __future__ import annotations

from megatron.core.transformer.module import MegatronModule

from tunedeck.resolved import ResolvedSpec
from worker.engine.model.architecture import Architecture
from worker.engine.platform import Platform


def build_model(architecture: Architecture, spec: ResolvedSpec, platform: Platform) -> list[MegatronModule]:
    """The model chunks of this rank, one per virtual pipeline stage (always one), not yet wrapped in DDP."""
    raise NotImplementedError
