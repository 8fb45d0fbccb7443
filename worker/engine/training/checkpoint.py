"""Checkpoints by megatron-core's dist_checkpointing: whole or absent, and loadable on another layout of ranks.

A checkpoint is written to a hidden folder and renamed when all ranks have written, so a folder with its final name is
complete. It holds model, optimizer, schedule, random numbers, step and position in the data. The `fully_reshardable`
form is the only one of 0.16.1 that loads under another tensor-parallel size; the default form fails to load at all.
Asynchronous saving was left out: it pays from models of some billion parameters on.
"""

from __future__ import annotations

import queue
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from megatron.core import dist_checkpointing, parallel_state, tensor_parallel
from megatron.core.dist_checkpointing.mapping import ShardedObject
from megatron.core.dist_checkpointing.strategies import filesystem_async
from megatron.core.distributed import DistributedDataParallel
from megatron.core.optimizer import MegatronOptimizer
from megatron.core.optimizer_param_scheduler import OptimizerParamScheduler
from megatron.core.transformer.module import MegatronModule

from tunedeck.errors import Conflict, NotFound
from worker.engine.publish_folder import publish_folder

_METADATA = {"distrib_optim_sharding_type": "fully_reshardable"}


@dataclass(frozen=True)
class TrainState:
    """What is trained. All its parts are changed in place by training and by loading."""

    chunks: list[DistributedDataParallel]
    optimizer: MegatronOptimizer
    scheduler: OptimizerParamScheduler


@dataclass(frozen=True)
class Position:
    """How far a run has come. `data_sha256` names the data set, because the position means nothing in another one."""

    step: int
    num_consumed_samples: int
    data_sha256: str


def save(state: TrainState, position: Position, target: Path) -> int:
    """Write a checkpoint; collective, complete when it returns. Returns its size in bytes."""
    partial = target.with_name(f".{target.name}.partial")
    if torch.distributed.get_rank() == 0:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
    torch.distributed.barrier()
    # Megatron hands results from one function of this process to another through a Manager, which is a new process that
    # imports the whole engine again: 5 s. A saving that does not outlive the call needs no more than a queue.
    filesystem_async._get_write_results_queue = queue.Queue
    content = _sharded_state(state, is_loading=False)
    content["rng"] = _sharded_rng()
    content["position"] = vars(position)
    content["layout"] = _layout()
    dist_checkpointing.save(content, str(partial), content_metadata=_METADATA)
    if torch.distributed.get_rank() == 0:
        publish_folder(partial, target)
    torch.distributed.barrier()
    return folder_bytes(target)


def folder_bytes(folder: Path) -> int:
    """What the files of a folder take on disk."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def load(state: TrainState, source: Path, data_sha256: str) -> Position:
    """Read a checkpoint into `state`; collective. The layout of ranks may differ from that of the saving run.

    Raises NotFound where `source` is no complete checkpoint, Conflict where it belongs to another data set.
    """
    if not dist_checkpointing.check_is_distributed_checkpoint(str(source)):
        raise NotFound(f"{source} is not a complete checkpoint", "give a folder like .../checkpoints/iter_0000100")
    common = dist_checkpointing.load_common_state_dict(str(source))
    position = Position(**common["position"])
    if position.data_sha256 != data_sha256:
        raise Conflict(f"{source} was trained on another data set", "resume with the data set of the first attempt")
    wanted = _sharded_state(state, is_loading=True)
    if common["layout"] == _layout():
        # Streams of random numbers belong to ranks; another layout has others. Without dropout none is used.
        wanted["rng"] = _sharded_rng()
    loaded = dist_checkpointing.load(wanted, str(source))
    for name, model in _models(state):
        model.load_state_dict(loaded[name])
    state.optimizer.load_state_dict(loaded["optimizer"])
    state.scheduler.load_state_dict(loaded["scheduler"])
    if "rng" in loaded:
        _set_rng(loaded["rng"])
    return position


def remove_old(folder: Path, keep_last: int) -> list[Path]:
    """Remove all but the newest `keep_last` checkpoints (rank 0 only); returns what was removed, oldest first."""
    complete = sorted(path for path in folder.glob("iter_*") if path.is_dir())
    old = complete[:-keep_last]
    for path in old:
        # Renamed first: a folder with a checkpoint's name is never half there.
        doomed = path.with_name(f".{path.name}.removed")
        path.rename(doomed)
        shutil.rmtree(doomed)
    return old


def step_of(checkpoint: Path) -> int:
    """The step in the name of a checkpoint's folder."""
    return int(checkpoint.name.removeprefix("iter_"))


def _models(state: TrainState) -> list[tuple[str, MegatronModule]]:
    """The models below DDP, whose own state would carry a prefix that its loading does not expect."""
    return [(f"model{index}", chunk.module) for index, chunk in enumerate(state.chunks)]


def _sharded_state(state: TrainState, *, is_loading: bool) -> dict[str, Any]:
    models = {name: model.sharded_state_dict(metadata=dict(_METADATA)) for name, model in _models(state)}
    optimizer = state.optimizer.sharded_state_dict(models, is_loading=is_loading, metadata=dict(_METADATA))
    return {**models, "optimizer": optimizer, "scheduler": state.scheduler.state_dict()}


def _layout() -> dict[str, int]:
    return {
        "tensor_model_parallel_size": parallel_state.get_tensor_model_parallel_world_size(),
        "pipeline_model_parallel_size": parallel_state.get_pipeline_model_parallel_world_size(),
    }


def _sharded_rng() -> ShardedObject:
    """The random numbers of this rank: one object per pipeline and tensor rank, the same on all data-parallel ranks."""
    states = {"torch": torch.get_rng_state(), "tracker": tensor_parallel.get_cuda_rng_tracker().get_states()}
    if torch.cuda.is_available():
        states["cuda"] = torch.cuda.get_rng_state()
    layout = _layout()
    return ShardedObject(
        "rng",
        states,
        (layout["pipeline_model_parallel_size"], layout["tensor_model_parallel_size"]),
        (parallel_state.get_pipeline_model_parallel_rank(), parallel_state.get_tensor_model_parallel_rank()),
        replica_id=parallel_state.get_data_parallel_rank(),
    )


def _set_rng(states: dict[str, Any]) -> None:
    torch.set_rng_state(states["torch"])
    tensor_parallel.get_cuda_rng_tracker().set_states(states["tracker"])
    if "cuda" in states:
        torch.cuda.set_rng_state(states["cuda"])
