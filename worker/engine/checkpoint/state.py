"""What is trained and how far it has come: the two things that a checkpoint holds."""

from __future__ import annotations

from dataclasses import dataclass, field

from megatron.core.distributed import DistributedDataParallel
from megatron.core.optimizer import MegatronOptimizer
from megatron.core.optimizer_param_scheduler import OptimizerParamScheduler
from megatron.core.transformer.module import MegatronModule

from worker.engine.training.validation_history import ValidationHistory


@dataclass(frozen=True)
class TrainState:
    """What is trained. All its parts are changed in place by training and by loading."""

    chunks: list[DistributedDataParallel]
    optimizer: MegatronOptimizer
    scheduler: OptimizerParamScheduler

    @property
    def models(self) -> list[tuple[str, MegatronModule]]:
        """The models below DDP, whose own state would carry a prefix that its loading does not expect."""
        return [(f"model{index}", chunk.module) for index, chunk in enumerate(self.chunks)]

    @property
    def optimizers(self) -> list[MegatronOptimizer]:
        """One, or two where experts are parted over ranks: they have an optimizer of their own."""
        return list(getattr(self.optimizer, "chained_optimizers", [self.optimizer]))

    @property
    def is_distributed(self) -> bool:
        """Whether data-parallel ranks share the optimizer's state."""
        return bool(self.chunks[0].ddp_config.use_distributed_optimizer)


@dataclass(frozen=True)
class Position:
    """How far a run has come. `data_sha256` names the data set, because the position means nothing in another one."""

    step: int
    num_consumed_samples: int
    data_sha256: str
    validation: ValidationHistory = field(default_factory=ValidationHistory)
