"""Reads a checkpoint into what is trained, by megatron-core's dist_checkpointing, under whatever layout of ranks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from megatron.core import dist_checkpointing, tensor_parallel
from megatron.core.optimizer.optimizer import param_group_identifier_keys
from torch.distributed.checkpoint.api import CheckpointException

from tunedeck.errors import Conflict, NotFound
from worker.engine.checkpoint.content import METADATA, layout, sharded_models, sharded_rng
from worker.engine.checkpoint.faults import cannot_read, what_failed
from worker.engine.checkpoint.optimizer_shards import settings
from worker.engine.checkpoint.state import Position, TrainState
from worker.engine.training.validation_history import ValidationHistory


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
    wanted = _wanted(state)
    if common["layout"] == layout():
        # Streams of random numbers belong to ranks; another layout has others. Without dropout none is used.
        wanted["rng"] = sharded_rng()
    with _reading(source):
        loaded = dist_checkpointing.load(wanted, str(source))
    for name, model in state.models:
        model.load_state_dict(loaded[name])
    if common["num_optimizers"] != len(state.optimizers):
        loaded["optimizer"] = _parted_anew(state, common["optimizer"], loaded["optimizer"])
    state.optimizer.load_state_dict(loaded["optimizer"])
    state.scheduler.load_state_dict(loaded["scheduler"])
    if "rng" in loaded:
        _set_rng(loaded["rng"])
    return position


def _position(saved: dict[str, Any]) -> Position:
    return Position(**{**saved, "validation": ValidationHistory(**saved.get("validation", {}))})


def _wanted(state: TrainState) -> dict[str, Any]:
    models = sharded_models(state)
    optimizer = state.optimizer.sharded_state_dict(models, is_loading=True, metadata=dict(METADATA))
    return {**models, "optimizer": optimizer, "scheduler": state.scheduler.state_dict()}


def _check_optimizer(state: TrainState, common: dict[str, Any], source: Path) -> None:
    """Refuse a form of the optimizer's state that cannot be turned into that of this run."""
    was = common["use_distributed_optimizer"]
    if was != state.is_distributed:
        raise Conflict(
            f"{source} was written with use_distributed_optimizer = {was}, and megatron-core cannot turn one form of "
            "the optimizer's state into the other",
            f"resume with parallelism.use_distributed_optimizer = {was}",
        )
    saved, here = common["num_optimizers"], len(state.optimizers)
    if saved != here and not was:
        size = "1" if saved < here else "above 1"
        raise Conflict(
            f"{source} was written with expert_model_parallel_size {size} and without the distributed optimizer, "
            "whose state can be parted anew",
            f"resume with parallelism.expert_model_parallel_size {size}; the other sizes may be any",
        )


def _parted_anew(state: TrainState, saved: dict[Any, Any], loaded: dict[Any, Any]) -> dict[Any, Any]:
    """The optimizer's state for a run whose experts are parted over ranks, and so have an optimizer of their own, of
    one where they are not, or the other way round.

    The tensors, in `loaded`, go by names of parameters, the same in both. Only the settings, in `saved`, are told by
    optimizer; groups that differ in nothing but whose parameters they hold have the same ones.
    """
    told = [saved] if "optimizer" in saved else list(saved.values())
    known = {_kind(group): group for part in told for group in part["optimizer"]["param_groups"]}
    parts = {}
    for index, optimizer in enumerate(state.optimizers):
        mine = settings(optimizer)
        groups = mine["optimizer"]["param_groups"]
        found = [{**known[_kind(own)], "is_expert_parallel": own["is_expert_parallel"]} for own in groups]
        tensors = loaded[index] if len(state.optimizers) > 1 else loaded
        parts[index] = {**mine, "optimizer": {"param_groups": found}, "param_state": tensors["param_state"]}
    return parts if len(parts) > 1 else parts[0]


def _kind(group: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(group[key] for key in param_group_identifier_keys if key != "is_expert_parallel")


@contextmanager
def _reading(source: Path) -> Iterator[None]:
    """Whatever is raised inside is a fault of the files, unless the memory does not suffice for them."""
    try:
        yield
    except (MemoryError, torch.OutOfMemoryError):
        raise
    except (Exception, CheckpointException) as error:
        raise cannot_read(what_failed(error), source) from error


def _set_rng(states: dict[str, Any]) -> None:
    torch.set_rng_state(states["torch"])
    tensor_parallel.get_cuda_rng_tracker().set_states(states["tracker"])
    if "cuda" in states:
        torch.cuda.set_rng_state(states["cuda"])
