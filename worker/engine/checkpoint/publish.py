"""What makes the files of all ranks a checkpoint: their common part, the table of contents, the mark, the name.

Written by rank 0, in a thread, when every rank has written its part. The forms are those
of megatron-core's `torch_dist`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from megatron.core.dist_checkpointing.core import CheckpointingConfig, save_config
from megatron.core.dist_checkpointing.strategies.common import COMMON_STATE_FNAME

from tunedeck.errors import TunedeckError
from worker.engine.checkpoint.faults import cannot_write, what_failed
from worker.engine.checkpoint.plan import Plan
from worker.engine.checkpoint.rank_file import Place
from worker.engine.publish_folder import publish_folder

_FORMAT = CheckpointingConfig("torch_dist", 1)


def publish(partial: Path, target: Path, plan: Plan, common: dict[str, Any], places: list[list[Place]]) -> None:
    """Raises DiskFull or CheckpointFailed; then nothing has the name of a checkpoint."""
    try:
        torch.save(common, partial / COMMON_STATE_FNAME)
        plan.write_contents(partial, places)
        save_config(_FORMAT, str(partial))
        publish_folder(partial, target)
    except TunedeckError:
        raise
    except Exception as error:
        raise cannot_write(what_failed(error), target) from error
