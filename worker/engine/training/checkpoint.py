"""What a checkpoint holds, by megatron-core's dist_checkpointing, so that it is loadable on another layout of ranks.

It holds model, optimizer, schedule, random numbers, step and position in the data; how and when it is written is told
in checkpoint_writer.py and checkpoints.py. The `fully_reshardable` form is the only one of 0.16.1 that loads under
another tensor-parallel size; the default form fails to load at all.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from megatron.core import dist_checkpointing, parallel_state, tensor_parallel
from megatron.core.dist_checkpointing.mapping import ShardedObject
from megatron.core.distributed import DistributedDataParallel
from megatron.core.optimizer import MegatronOptimizer
from megatron.core.optimizer_param_scheduler import OptimizerParamScheduler
from megatron.core.transformer.module import MegatronModule
from torch.distributed.checkpoint.api import CheckpointException

from tunedeck.errors import Conflict, NotFound
from worker.engine.training.checkpoint_faults import cannot_read, what_failed
from worker.engine.training.unsharded_state import taken_as_it_lies
from worker.engine.training.validation_history import ValidationHistory

# Experts have an optimizer of their own; its states must not be named after its number, which depends on the layout.
METADATA = {"distrib_optim_sharding_type": "fully_reshardable", "chained_optim_avoid_prefix": True}


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
    validation: ValidationHistory = field(default_factory=ValidationHistory)


def content(state: TrainState, position: Position) -> dict[str, Any]:
    """What a checkpoint of `state` holds; collective. Its tensors are those of the training, not copies."""
    return {
        **_sharded_state(state, is_loading=False),
        "rng": _sharded_rng(),
        "position": asdict(position),
        "layout": _layout(),
        "use_distributed_optimizer": _is_distributed(state),
        "num_optimizers": _num_optimizers(state),
    }


def folder_bytes(folder: Path) -> int:
    """What the files of a folder take on disk."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def load(state: TrainState, source: Path, data_sha256: str) -> Position:
    """Read a checkpoint into `state`; collective. The layout of ranks may differ from that of the saving run.

    Raises NotFound where `source` is no complete checkpoint, CheckpointUnreadable where it is damaged, Conflict where
    it belongs to another data set or to another form of optimizer.
    """
    if not dist_checkpointing.check_is_distributed_checkpoint(str(source)):
        raise NotFound(f"{source} is not a complete checkpoint", "give a folder like .../checkpoints/iter_0000100")
    with _reading(source):
        common = dist_checkpointing.load_common_state_dict(str(source))
    position = _position(common["position"])
    if position.data_sha256 != data_sha256:
        raise Conflict(f"{source} was trained on another data set", "resume with the data set of the first attempt")
    _check_optimizer(state, common, source)
    wanted = _sharded_state(state, is_loading=True)
    if common["layout"] == _layout():
        # Streams of random numbers belong to ranks; another layout has others. Without dropout none is used.
        wanted["rng"] = _sharded_rng()
    with _reading(source):
        loaded = dist_checkpointing.load(wanted, str(source))
    for name, model in _models(state):
        model.load_state_dict(loaded[name])
    state.optimizer.load_state_dict(loaded["optimizer"])
    state.scheduler.load_state_dict(loaded["scheduler"])
    if "rng" in loaded:
        _set_rng(loaded["rng"])
    return position


def _position(saved: dict[str, Any]) -> Position:
    return Position(**{**saved, "validation": ValidationHistory(**saved.get("validation", {}))})


def _check_optimizer(state: TrainState, common: dict[str, Any], source: Path) -> None:
    """Refuse a form of the optimizer's state that megatron-core 0.16.1 cannot turn into that of this run. Experts that
    are parted over ranks have an optimizer of their own, so there are one or two."""
    was = common["use_distributed_optimizer"]
    if was != _is_distributed(state):
        raise Conflict(
            f"{source} was written with use_distributed_optimizer = {was}, and megatron-core cannot turn one form of "
            "the optimizer's state into the other",
            f"resume with parallelism.use_distributed_optimizer = {was}",
        )
    saved, here = common["num_optimizers"], _num_optimizers(state)
    if saved != here:
        size = "1" if saved < here else "above 1"
        raise Conflict(
            f"{source} was written with expert_model_parallel_size {size}, and megatron-core cannot turn one form of "
            "the optimizer's state into the other",
            f"resume with parallelism.expert_model_parallel_size {size}; the other sizes may be any",
        )


def _num_optimizers(state: TrainState) -> int:
    return len(getattr(state.optimizer, "chained_optimizers", [state.optimizer]))


@contextmanager
def _reading(source: Path) -> Iterator[None]:
    """Whatever is raised inside is a fault of the files, unless the memory does not suffice for them."""
    try:
        yield
    except (MemoryError, torch.OutOfMemoryError):
        raise
    except (Exception, CheckpointException) as error:
        raise cannot_read(what_failed(error), source) from error


def remove_old(folder: Path, keep_last: int, kept_step: int = 0) -> list[Path]:
    """Remove all but the newest `keep_last` checkpoints and that of `kept_step` (rank 0 only).

    Returns what was removed, oldest first.
    """
    complete = sorted(path for path in folder.glob("iter_*") if path.is_dir())
    old = [path for path in complete[:-keep_last] if step_of(path) != kept_step]
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
    models = {name: model.sharded_state_dict(metadata=dict(METADATA)) for name, model in _models(state)}
    is_taken = not is_loading and _is_alone()
    with taken_as_it_lies(state.optimizer) if is_taken else nullcontext():
        optimizer = state.optimizer.sharded_state_dict(models, is_loading=is_loading, metadata=dict(METADATA))
    return {**models, "optimizer": optimizer, "scheduler": state.scheduler.state_dict()}


def _is_alone() -> bool:
    """Whether no rank shares the optimizer's state with this one."""
    dense = parallel_state.get_data_parallel_world_size(with_context_parallel=True)
    return dense == parallel_state.get_expert_data_parallel_world_size() == 1


def _is_distributed(state: TrainState) -> bool:
    return bool(state.chunks[0].ddp_config.use_distributed_optimizer)


def _layout() -> dict[str, int]:
    return {
        "tensor_model_parallel_size": parallel_state.get_tensor_model_parallel_world_size(),
        "pipeline_model_parallel_size": parallel_state.get_pipeline_model_parallel_world_size(),
    }


def _sharded_rng() -> ShardedObject:
    """The random numbers of this rank: one object per pipeline and tensor rank, the same on all others."""
    states = {"torch": torch.get_rng_state(), "tracker": tensor_parallel.get_cuda_rng_tracker().get_states()}
    if torch.cuda.is_available():
        states["cuda"] = torch.cuda.get_rng_state()
    layout = _layout()
    return ShardedObject(
        "rng",
        states,
        (layout["pipeline_model_parallel_size"], layout["tensor_model_parallel_size"]),
        (parallel_state.get_pipeline_model_parallel_rank(), parallel_state.get_tensor_model_parallel_rank()),
        replica_id=parallel_state.get_data_parallel_rank(with_context_parallel=True),
    )


def _set_rng(states: dict[str, Any]) -> None:
    torch.set_rng_state(states["torch"])
    tensor_parallel.get_cuda_rng_tracker().set_states(states["tracker"])
    if "cuda" in states:
        torch.cuda.set_rng_state(states["cuda"])
